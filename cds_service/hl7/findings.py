"""DG1 and OBX to HPO findings: what is there, what was looked for and excluded, and what could not be mapped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cds_service.domain.finding_codes import ANSWERS, DIRECTIONS, NEGATIVE, POSITIVE, FindingCodes
from cds_service.domain.lab_findings import LABORATORY, laboratory_findings
from cds_service.domain.ontology import HPO
from cds_service.domain.phenotype import Finding, Heard, Unmapped
from cds_service.domain.text import MAX_NAME, MAX_SOURCE, bounded
from cds_service.domain.vital_codes import LOINC
from cds_service.hl7.coding import code_of, codings_of
from cds_service.hl7.header import without_mark
from cds_service.hl7.message import CODE, MARKS, STATUS, VALUE, Message, SentDiagnosis
from cds_service.hl7.observations import FINAL, WITHDRAWN
from cds_service.hl7.site import SiteMap
from cds_service.hl7.snapshot import NOT_CONFIRMED
from cds_service.hl7.tokens import NULL, Segment, tokenize

Pairs = tuple[tuple[str, str], ...]

# Names of the systems senders use for findings (HL7 table 0396: HPO, UML), beside those every code may have.
_UMLS = "urn:oid:2.16.840.1.113883.6.86"
_SYSTEMS = {"HPO": HPO, "HP": HPO, "UML": _UMLS, "UMLS": _UMLS, "2.16.840.1.113883.6.86": _UMLS}
_CODED = frozenset({"CE", "CWE", "CNE", "CF"})
# Words of a value (ST, ID) that answer whether a finding is there; HL7 tables 0136 and 0078, and what people write.
_YES = POSITIVE | {"Y", "YES", "POSITIVE", "PRESENT", "DETECTED"}
_NO = NEGATIVE | {"N", "NO", "NEGATIVE", "ABSENT", "NOT DETECTED"}
# A reference range (OBX-7) of two numbers.
_RANGE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*-\s*([0-9]+(?:\.[0-9]+)?)\s*")
_NUMBER = re.compile(r"\s*[+-]?[0-9]+(?:\.[0-9]+)?\s*")
_RANGE_FIELD = 7


class Stated(NamedTuple):
    """What was said of findings under the codes that name it; nothing if withdrawn. A newer one replaces it."""

    key: Pairs
    said: tuple[Finding | Unmapped, ...]


def statements_of(raw: bytes, message: Message, *, codes: FindingCodes, site: SiteMap) -> list[Stated]:
    """What a message of one patient says of findings, in its order; vital signs, and what is not final, say nothing."""
    header = message.header
    segments = tokenize(without_mark(raw), header.syntax, declared=header.charset).segments
    found = [_diagnosed(sent, header.control_id, codes) for sent in message.patients[0].diagnoses]
    found += [_observed(one, header.control_id, codes, site) for one in segments if one.id == "OBX"]
    return [one for one in found if one is not None]


def heard_from(statements: Sequence[Stated]) -> Heard:
    """The findings of statements, the newest first: of those that name the same the first one counts."""
    newest: dict[Pairs, tuple[Finding | Unmapped, ...]] = {}
    for one in statements:
        newest.setdefault(one.key, one.said)
    said = [one for listed in newest.values() for one in listed]
    return Heard(
        tuple(one for one in said if isinstance(one, Finding)), tuple(one for one in said if isinstance(one, Unmapped))
    )


def _diagnosed(sent: SentDiagnosis, control_id: str, codes: FindingCodes) -> Stated | None:
    """A DG1: a finding that is there; nothing of an admitting or working diagnosis, nor of one without a code."""
    pairs = _known(sent.codings)
    if not pairs or sent.type in NOT_CONFIRMED:
        return None
    source = bounded(f"{control_id} {sent.source}", MAX_SOURCE)
    return Stated(pairs, () if sent.is_deleted else (codes.first(pairs, excluded=False, source=source),))


def _observed(obx: Segment, control_id: str, codes: FindingCodes, site: SiteMap) -> Stated | None:
    meaning = code_of(obx.field(CODE), obx.syntax, site).meaning
    named = _known(coding.key for coding in codings_of(obx.field(CODE), obx.syntax))
    status = obx.part(STATUS).upper() or "F"
    if meaning.vital is not None or meaning.states_fact or not named or status not in FINAL | WITHDRAWN:
        return None
    source = bounded(f"{control_id} {obx.place}", MAX_SOURCE)
    loinc = next((code for system, code in named if system == LOINC and code in LABORATORY), None)
    valued = _values(obx)
    if loinc is None and valued and not _answers(obx) and not any(codes.term(*pair) for pair in named):
        key, said = named + valued, tuple(_named_by_value(valued, source, codes))
    else:
        key, said = named, tuple(_result(obx, loinc, source) if loinc else _answered(obx, named, source, codes))
    return Stated(key, () if status in WITHDRAWN else said)


def _known(codings: Iterable[tuple[str, str]]) -> Pairs:
    return tuple((_SYSTEMS.get(system.upper(), system), code) for system, code in codings if code)


def _values(obx: Segment) -> Pairs:
    """The codes of a coded value."""
    if obx.part(2).upper() not in _CODED or obx.field(VALUE) == NULL:
        return ()
    return _known(coding.key for coding in codings_of(obx.field(VALUE), obx.syntax))


def _answers(obx: Segment) -> set[bool]:
    """Whether the finding is there: by the value, else by the marks of OBX-8; empty where neither says so."""
    coded = {ANSWERS[pair] for pair in _values(obx) if pair in ANSWERS}
    word = "" if obx.part(2).upper() in _CODED else obx.part(VALUE).strip().upper()
    found = coded or {True for _ in {word} & _YES} | {False for _ in {word} & _NO}
    marks = _marks(obx)
    return found or {True for _ in marks & POSITIVE} | {False for _ in marks & NEGATIVE}


def _marks(obx: Segment) -> set[str]:
    return {obx.syntax.components(one)[0].upper() for one in obx.repetitions(MARKS)}


def _named_by_value(valued: Pairs, source: str, codes: FindingCodes) -> Iterator[Finding | Unmapped]:
    yield codes.first(valued, excluded=False, source=source)


def _answered(obx: Segment, named: Pairs, source: str, codes: FindingCodes) -> Iterator[Finding | Unmapped]:
    """A finding named by OBX-3; one whose value answers nothing is kept as not mapped."""
    found = codes.first(named, excluded=False, source=source)
    answers = _answers(obx)
    if isinstance(found, Unmapped):
        yield found
    elif len(answers) == 1 or not obx.field(VALUE):
        yield found._replace(excluded=answers == {False})
    else:
        system, code = named[0]
        yield Unmapped(bounded(system, MAX_NAME), bounded(code), source, "unknown-value")


def _result(obx: Segment, loinc: str, source: str) -> Iterator[Finding | Unmapped]:
    """A laboratory result by its marks, else by its reference range."""
    directions = {DIRECTIONS[mark] for mark in _marks(obx) if mark in DIRECTIONS} or _by_range(obx)
    if len(directions) != 1:
        yield Unmapped(LOINC, loinc, source, "no-interpretation")
        return
    for term, excluded in laboratory_findings(loinc, directions.pop()):
        yield Finding(term, excluded, source, loinc)


def _by_range(obx: Segment) -> set[str]:
    """Low, high or normal against OBX-7, which is in the unit of the value by the standard."""
    bounds = _RANGE.fullmatch(obx.part(_RANGE_FIELD))
    value = obx.part(VALUE)
    if bounds is None or not _NUMBER.fullmatch(value):
        return set()
    low, high = float(bounds[1]), float(bounds[2])
    return {"low" if float(value) < low else "high" if float(value) > high else "normal"} if low <= high else set()
