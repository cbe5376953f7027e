"""What each CDS hook carries in its context: the one table that checks requests and prefetch templates.

Source: HL7 CDS Hooks library, one page a hook in the version of HOOK_VERSIONS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ContextField:
    """One member of a hook's context.

    `references` names the resource types of a `Type/id` reference; empty means a bare FHIR id.
    `token` says whether a prefetch template may use it. `resource` names the type of a resource carried whole.
    """

    name: str
    required: bool = True
    references: tuple[str, ...] = ()
    token: bool = True
    resource: str | None = None


_CLINICIANS = ("Practitioner", "PractitionerRole")
_READERS = (*_CLINICIANS, "Patient", "RelatedPerson")

_ENCOUNTER_HOOK = (
    ContextField("userId", references=_CLINICIANS),
    ContextField("patientId"),
    ContextField("encounterId"),
)

HOOKS: Mapping[str, tuple[ContextField, ...]] = MappingProxyType(
    {
        "patient-view": (
            ContextField("userId", references=_READERS),
            ContextField("patientId"),
            ContextField("encounterId", required=False),
        ),
        "encounter-start": _ENCOUNTER_HOOK,
        "encounter-discharge": _ENCOUNTER_HOOK,
        "problem-list-item-create": (
            ContextField("userId", references=_CLINICIANS),
            ContextField("patientId"),
            ContextField("encounterId", required=False),
            ContextField("conditions", token=False, resource="Bundle"),
        ),
    }
)

HOOK_VERSIONS: Mapping[str, str] = MappingProxyType(
    {
        "patient-view": "1.0",
        "encounter-start": "1.0",
        "encounter-discharge": "1.0",
        "problem-list-item-create": "0.1.0",
    }
)
