"""The CDS services on offer: their hooks, prefetch templates and titles, and the discovery document made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from cds_service.cdshooks.hooks import HOOK_VERSIONS
from cds_service.i18n import msgid, translator

# The release built to: https://cds-hooks.hl7.org/2.0/ (2.0.1).
SPECIFICATION_VERSION = "2.0.1"

Templates = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Service:
    """One CDS service: `prefetch` maps each of its hooks to the templates asked for; texts are message ids.

    `required` names the prefetch keys without which there is nothing to assess.
    """

    id: str
    title: str
    description: str
    usage_requirements: str
    prefetch: Mapping[str, Templates]
    required: frozenset[str]

    @property
    def hooks(self) -> tuple[str, ...]:
        """Hooks this service answers."""
        return tuple(self.prefetch)


# Only reads, and searches by reference or one token with _sort and _count: the subset CDS Hooks 2.0.1 recommends
# (docs/decisions/prefetch-templates.md weighs it). Counts chosen by us: a day of hourly vital signs with
# their panels, a long problem list.
_PATIENT: Templates = {"patient": "Patient/{{context.patientId}}"}
_READINGS: Templates = {
    "observations": "Observation?patient={{context.patientId}}&category=vital-signs&_sort=-date&_count=100",
    "examinations": "Observation?patient={{context.patientId}}&category=exam&_sort=-date&_count=50",
    "conditions": "Condition?patient={{context.patientId}}&_count=200",
}
# patient-view need not name an encounter, and a token without a value makes a broken query: ask for the open ones.
_OPEN_ENCOUNTERS: Templates = {
    "encounter": "Encounter?patient={{context.patientId}}&status=in-progress&_sort=-date&_count=10"
}
_THIS_ENCOUNTER: Templates = {"encounter": "Encounter/{{context.encounterId}}"}

VITALS_RISK = Service(
    id="vitals-risk",
    title=msgid("Vital signs: NEWS2 and risk of ICU admission"),
    description=msgid(
        "Scores the latest vital signs with NEWS2 and a risk model, "
        "explains what moved the result, and names every reading it did not use."
    ),
    usage_requirements=msgid(
        "NEWS2 from 16 years, not in pregnancy. The risk model: adults in an emergency visit. "
        "Demonstration, not for clinical use."
    ),
    prefetch=MappingProxyType(
        {
            "patient-view": {**_PATIENT, **_OPEN_ENCOUNTERS, **_READINGS},
            "encounter-start": {**_PATIENT, **_THIS_ENCOUNTER, **_READINGS},
            "encounter-discharge": {**_PATIENT, **_THIS_ENCOUNTER, **_READINGS},
        }
    ),
    required=frozenset({"patient", "observations"}),
)

DIAGNOSIS_LABEL = Service(
    id="diagnosis-label",
    title=msgid("Diagnoses as labels"),
    description=msgid(
        "Keeps the diagnoses written into the problem list, so that predictions are compared with them. Shows no card."
    ),
    usage_requirements=msgid("Diagnoses coded in ICD-10, ICD-10-CM, SNOMED CT or ORPHA."),
    prefetch=MappingProxyType({"problem-list-item-create": {}}),
    required=frozenset(),
)

# Findings are searched whatever their category: laboratories, examinations and surveys all hold some.
RARE_DISEASE = Service(
    id="rare-disease",
    title=msgid("Rare diseases to consider, from recorded findings"),
    description=msgid(
        "Compares the recorded findings with what is published about rare diseases, "
        "lists those that fit best with their reasons, and says what to look for next."
    ),
    usage_requirements=msgid(
        "At least three clinical findings (HPO, SNOMED CT or UMLS codes, laboratory results); "
        "vital signs are not enough. Not a diagnosis. Demonstration, not for clinical use."
    ),
    prefetch=MappingProxyType(
        {
            "patient-view": {
                **_PATIENT,
                "conditions": "Condition?patient={{context.patientId}}&_count=200",
                "observations": "Observation?patient={{context.patientId}}&_sort=-date&_count=200",
            }
        }
    ),
    required=frozenset({"patient", "conditions"}),
)

SERVICES: Mapping[str, Service] = MappingProxyType(
    {service.id: service for service in (VITALS_RISK, RARE_DISEASE, DIAGNOSIS_LABEL)}
)


@lru_cache(maxsize=8)
def _entries(language: str) -> tuple[dict[str, Any], ...]:
    t = translator(language)
    return tuple(
        {
            "hook": hook,
            "hookVersion": HOOK_VERSIONS[hook],
            "id": service.id,
            "title": t(service.title),
            "description": t(service.description),
            "usageRequirements": t(service.usage_requirements),
            "version": SPECIFICATION_VERSION,
            **({"prefetch": dict(templates)} if templates else {}),
        }
        for service in SERVICES.values()
        for hook, templates in service.prefetch.items()
    )


def discovery(language: str) -> dict[str, Any]:
    """The body of `GET /cds-services`: one entry for each hook of each service."""
    return {"services": [dict(entry) for entry in _entries(language)]}
