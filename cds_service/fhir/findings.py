"""Conditions and Observations to HPO findings: what is there, what was excluded, and what could not be mapped."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct, field

from cds_service.domain.finding_codes import ANSWERS, NEGATIVE, POSITIVE, FindingCodes
from cds_service.domain.lab_findings import LABORATORY, laboratory_findings
from cds_service.domain.patient import NotUsed
from cds_service.domain.phenotype import Finding, Heard, Unmapped
from cds_service.domain.policy import ReadingPolicy
from cds_service.domain.text import MAX_NAME, bounded
from cds_service.domain.timeliness import window_at
from cds_service.domain.vital_codes import LOINC
from cds_service.errors import TooLarge
from cds_service.fhir.bundle import Resources
from cds_service.fhir.codes import concept_of, keys_of, meaning_of
from cds_service.fhir.observations import Setting, standing_of
from cds_service.fhir.patient import find_subject, mine
from cds_service.fhir.results import direction_of, interpretations_of
from cds_service.fhir.shapes import CodeableConcept, Entry, Resource, Statement
from cds_service.fhir.text import source_name
from cds_service.fhir.values import sent_member

# Findings, mapped or not, of one request; chosen by us: the longest published case has under 200.
MAX_FINDINGS = 2000

# Condition.verificationStatus (R4): refuted is a finding looked for and excluded. The clinical status makes no
# difference: a seizure that is over is still a finding of the disease behind it.
_EXCLUDED = frozenset({"refuted"})
_NOT_RECORDED = frozenset({"entered-in-error", "unconfirmed", "provisional", "differential"})


class Listed(Struct, gc=False):
    """Findings, codes without a meaning here, and machine-readable remarks, as they are come upon."""

    findings: list[Finding] = field(default_factory=list)
    unmapped: list[Unmapped] = field(default_factory=list)
    remarks: set[str] = field(default_factory=set)

    def check(self) -> None:
        """Raise TooLarge when there are more than anyone has."""
        if len(self.findings) + len(self.unmapped) > MAX_FINDINGS:
            raise TooLarge(f"more than {MAX_FINDINGS} findings in one request", where="Bundle.entry")


def findings_from_resources(
    resources: Resources, *, patient_id: str | None, at: datetime, policy: ReadingPolicy, codes: FindingCodes
) -> Heard:
    """The patient's findings by Conditions, then by Observations, the newest result of each laboratory test only."""
    subject = find_subject(resources, patient_id)
    listed = Listed()
    for entry in mine(resources.conditions, subject, listed.remarks):
        if entry.resource is not None:
            _read_condition(entry.resource, entry.full_url, codes, listed)
            listed.check()
    setting = Setting(subject, window_at(at, policy, None))
    newest: dict[str, tuple[datetime, Statement, str]] = {}
    for entry in resources.observations:
        _read_observation(entry, setting, codes, listed, newest)
        listed.check()
    for loinc, (_, statement, source) in sorted(newest.items()):
        _read_result(loinc, statement, source, listed)
    return Heard(tuple(listed.findings), tuple(listed.unmapped), tuple(sorted(listed.remarks)))


def _read_condition(resource: Resource, full_url: str | None, codes: FindingCodes, listed: Listed) -> None:
    try:
        verified = {code for _, code in keys_of(concept_of(resource.verification_status))}
        concept = concept_of(resource.code)
    except msgspec.ValidationError:
        listed.remarks.add("condition-unreadable")
        return
    if verified & _NOT_RECORDED:
        listed.remarks.add("condition-not-confirmed")
        return
    source = source_name("Condition", resource.id, full_url)
    _add(concept, bool(verified & _EXCLUDED), source, codes, listed)


def _add(concept: CodeableConcept | None, excluded: bool, source: str, codes: FindingCodes, listed: Listed) -> None:
    """The first coding that has a meaning here; where none has, the first is kept as not mapped."""
    pairs = [(system, code) for system, code in keys_of(concept) if code]
    if not pairs:
        listed.remarks.add("finding-without-code")
        return
    found = codes.first(pairs, excluded=excluded, source=source)
    if isinstance(found, Finding):
        listed.findings.append(found)
    else:
        listed.unmapped.append(found)


def _read_observation(
    entry: Entry,
    setting: Setting,
    codes: FindingCodes,
    listed: Listed,
    newest: dict[str, tuple[datetime, Statement, str]],
) -> None:
    """Add what one Observation says; laboratory results wait in `newest`, by LOINC code."""
    resource = entry.resource
    if resource is None:
        return
    standing = standing_of(entry, resource, setting)
    untimed = standing.refusal is not None and standing.refusal.reason is NotUsed.NO_TIME
    if (standing.refusal is not None and not untimed) or standing.time > setting.window.latest:
        listed.remarks.add("observation-not-usable")
        return
    for statement in (resource, *(resource.component or ())):
        meaning = meaning_of(statement.code)
        if meaning.vital is not None or meaning.states_fact:
            continue
        try:
            loinc = _laboratory_code(statement)
            if loinc is None:
                _read_finding(statement, standing.source, codes, listed)
            elif loinc not in newest or newest[loinc][0] < standing.time:
                newest[loinc] = (standing.time, statement, standing.source)
        except msgspec.ValidationError:
            listed.remarks.add("observation-unreadable")


def _laboratory_code(statement: Statement) -> str | None:
    keys = keys_of(concept_of(statement.code))
    return next((code for system, code in keys if system == LOINC and code in LABORATORY), None)


def _read_finding(statement: Statement, source: str, codes: FindingCodes, listed: Listed) -> None:
    """A finding named by the code and answered by the value, or named by a coded value."""
    named = concept_of(statement.code)
    value = concept_of(statement.value_codeable_concept)
    is_finding = any(codes.term(*pair) for pair in keys_of(named))
    if not is_finding:
        if value is not None and not _answers(statement):
            _add(value, False, source, codes, listed)
        elif named is not None:
            _add(named, False, source, codes, listed)
        return
    answers = _answers(statement)
    if len(answers) > 1 or (not answers and sent_member(statement)):
        system, code = keys_of(named)[0]
        listed.unmapped.append(Unmapped(bounded(system, MAX_NAME), bounded(code), source, "unknown-value"))
        return
    _add(named, answers == {False}, source, codes, listed)


def _answers(statement: Statement) -> set[bool]:
    """Whether the finding is there: by the value, else by the interpretation; empty when neither says so."""
    if statement.value_boolean is not None:
        return {statement.value_boolean}
    value = keys_of(concept_of(statement.value_codeable_concept))
    answers = {ANSWERS[key] for key in value if key in ANSWERS}
    if answers:
        return answers
    said = interpretations_of(statement)
    return {True for _ in said & POSITIVE} | {False for _ in said & NEGATIVE}


def _read_result(loinc: str, statement: Statement, source: str, listed: Listed) -> None:
    """A laboratory result by its interpretation, else by the one reference range sent with it."""
    direction = direction_of(statement)
    if direction is None:
        listed.unmapped.append(Unmapped(LOINC, loinc, source, "no-interpretation"))
        return
    found = laboratory_findings(loinc, direction)
    listed.findings.extend(Finding(term, excluded, source, loinc) for term, excluded in found)
