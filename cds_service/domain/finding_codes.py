"""From the codes senders use to HPO terms: what a code stands for, and which findings contradict each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from cds_service.domain.meanings import YES_NO_TABLE
from cds_service.domain.ontology import HPO, Ontology
from cds_service.domain.patient import PatientSnapshot
from cds_service.domain.phenotype import Finding, Unmapped, settled
from cds_service.domain.text import MAX_NAME, bounded
from cds_service.domain.vital_codes import LOINC, SNOMED

# Names the ontology goes by: FHIR's terminology server, OBO's own address, and the resource as a FHIR CodeSystem.
HPO_SYSTEMS = frozenset({HPO, "http://purl.obolibrary.org/obo/hp.owl", "http://purl.obolibrary.org/obo/hp.fhir"})
# UMLS: FHIR R4 terminologies, and HL7's object identifier of the same.
UMLS_SYSTEMS = frozenset(
    {
        "http://www.nlm.nih.gov/research/umls",
        "http://terminology.hl7.org/CodeSystem/umls",
        "urn:oid:2.16.840.1.113883.6.86",
    }
)
_HPO_CODE = re.compile(r"(?:http://purl\.obolibrary\.org/obo/)?HP[:_]([0-9]{7})")

# What a vital sign alone says, at the thresholds HPO's definitions or common practice give. Fever: HP:0001945 "body
# temperature elevated above normal", 38.0 Cel; tachycardia HP:0001649, over 100/min in adults; hypertension
# HP:0000822, 140 mm[Hg] systolic. One reading is no diagnosis: such findings weigh little and never make a list.
_VITAL_FINDINGS = (
    ("temperature", 38.0, "HP:0001945", 0.0),
    ("heart_rate", 100.0, "HP:0001649", 18.0),
    ("systolic_bp", 140.0, "HP:0000822", 18.0),
)


# Answers on whether a finding is there. SNOMED CT: 52101004 present, 10828004 positive, 373066001 yes, 2667000 absent,
# 260385009 negative, 373067005 no. LOINC answers: LA9633-4 present, LA33-6 yes, LA9634-2 absent, LA32-8 no. HL7 v3
# observation interpretation: POS, NEG. As recalled, but for 373066001 and 373067005, which two public guides carry.
ANSWERS: Mapping[tuple[str, str], bool] = MappingProxyType(
    {
        (SNOMED, "52101004"): True,
        (SNOMED, "10828004"): True,
        (SNOMED, "373066001"): True,
        (SNOMED, "2667000"): False,
        (SNOMED, "260385009"): False,
        (SNOMED, "373067005"): False,
        (LOINC, "LA9633-4"): True,
        (LOINC, "LA33-6"): True,
        (LOINC, "LA9634-2"): False,
        (LOINC, "LA32-8"): False,
        (YES_NO_TABLE, "Y"): True,
        (YES_NO_TABLE, "N"): False,
    }
)
POSITIVE, NEGATIVE = frozenset({"POS", "DET"}), frozenset({"NEG", "ND"})
# HL7 v3 observation interpretation and HL7 v2 table 0078: which way a laboratory result deviates.
DIRECTIONS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("L", "LL", "LU", "<"), "low"),
        **dict.fromkeys(("H", "HH", "HU", ">"), "high"),
        "N": "normal",
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class FindingCodes:
    """The ontology with the SNOMED CT and UMLS codes it refers to; codes map to its rows."""

    ontology: Ontology
    snomed: Mapping[str, int]
    umls: Mapping[str, int]

    def term(self, system: str, code: str) -> str | None:
        """The HPO term a code stands for, in its present id; None where there is none or it is no finding."""
        row = self._row(system, code)
        return self.ontology.ids[row] if row is not None and self.ontology.is_finding[row] else None

    def unmapped(self, system: str, code: str, source: str) -> Unmapped:
        """The remark on a code that `term` does not know, saying which of the two it is."""
        reason = "unknown-code" if self._row(system, code) is None else "not-a-finding"
        return Unmapped(system, code, source, reason)

    def first(self, pairs: Sequence[tuple[str, str]], *, excluded: bool, source: str) -> Finding | Unmapped:
        """The finding of the first (system, code) that has a meaning here; where none has, the first as unmapped."""
        for system, code in pairs:
            term = self.term(system, code)
            if term is not None:
                return Finding(term, excluded, source, bounded(code))
        system, code = pairs[0]
        return self.unmapped(bounded(system, MAX_NAME), bounded(code), source)

    def consistent(self, findings: Iterable[Finding]) -> tuple[tuple[Finding, ...], tuple[Unmapped, ...]]:
        """Each finding once, without exclusions that an observed finding contradicts, and those exclusions.

        Whoever has a focal seizure has a seizure: what excludes the broader finding is then left out, and said.
        """
        kept = settled(findings)
        present: set[int] = set()
        for finding in kept:
            if not finding.excluded:
                present.update(self.ontology.ancestors_of(self.ontology.rows[finding.term]).tolist())
        contradicted = [f for f in kept if f.excluded and self.ontology.rows[f.term] in present]
        remarks = tuple(Unmapped(HPO, f.term, f.source, "contradicted") for f in contradicted)
        return tuple(finding for finding in kept if finding not in contradicted), remarks

    def _row(self, system: str, code: str) -> int | None:
        found = _HPO_CODE.fullmatch(code)
        if found and (not system or system in HPO_SYSTEMS):
            return self.ontology.rows.get(f"HP:{found[1]}")
        if system == SNOMED:
            return self.snomed.get(code)
        return self.umls.get(code) if system in UMLS_SYSTEMS else None


def vital_findings(snapshot: PatientSnapshot) -> tuple[Finding, ...]:
    """What the vital signs of the snapshot say by themselves; pulse and pressure of adults only."""
    age = snapshot.age_years
    found = []
    for name, threshold, term, youngest in _VITAL_FINDINGS:
        value = snapshot.number(name)
        if value is not None and value >= threshold and (not youngest or (age is not None and age >= youngest)):
            reading = snapshot.readings[name]
            found.append(Finding(term, source=reading.source, said=name, by_vital=True))
    return tuple(found)
