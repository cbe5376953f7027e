"""A flat record of findings (form, REST) to what was heard: HPO ids, `system|code` tokens, or names of findings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from cds_service.domain.finding_codes import FindingCodes
from cds_service.domain.ontology import HPO
from cds_service.domain.patient import Identity, PatientSnapshot
from cds_service.domain.phenotype import Finding, Heard, Unmapped
from cds_service.domain.text import MAX_NAME, bounded
from cds_service.errors import BadRequest, TooLarge

# Findings of one record, and candidates asked for; chosen by us: the longest published case has under 200 findings.
MAX_FINDINGS, MOST_CANDIDATES = 2000, 50
_LONGEST = 200
_OLDEST = 130.0
_HPO_ID = re.compile(r"HP:[0-9]{7}")
_NAMES = frozenset({"observed", "excluded", "age_years", "sex", "limit"})
_TEXT = ""


class AskedFor(NamedTuple):
    """A record that can be ranked: who, what was heard, and how many candidates are wanted."""

    snapshot: PatientSnapshot
    heard: Heard
    limit: int


def findings_from_record(
    record: Mapping[str, object], *, at: datetime, codes: FindingCodes, named: Callable[[str], str | None]
) -> AskedFor:
    """What the record asks; `named` finds a term by its name. BadRequest names the member that is wrong."""
    unknown = sorted(name for name in record if name not in _NAMES)
    if unknown:
        raise BadRequest(f"not a name of this form; it takes {', '.join(sorted(_NAMES))}", where=bounded(unknown[0]))
    findings: list[Finding] = []
    unmapped: list[Unmapped] = []
    for name, excluded in (("observed", False), ("excluded", True)):
        for number, text in enumerate(_texts(record.get(name), name)):
            found = _finding(text, f"{name}[{number}]", codes, named)
            if isinstance(found, Unmapped):
                unmapped.append(found)
            else:
                findings.append(Finding(found, excluded, name, bounded(text)))
    snapshot = PatientSnapshot(at=at, identity=Identity(patient_id=""), age_years=_age(record), sex=_sex(record))
    return AskedFor(snapshot, Heard(tuple(findings), tuple(unmapped)), _limit(record))


def _texts(value: object, name: str) -> list[str]:
    """The findings listed; text is a list separated by commas, as in a query."""
    if value is None:
        return []
    listed = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if not isinstance(listed, list):
        raise BadRequest("must be a list of findings", where=name)
    if len(listed) > MAX_FINDINGS:
        raise TooLarge(f"more than {MAX_FINDINGS} findings in one request", where=name)
    texts = []
    for number, text in enumerate(listed):
        if not isinstance(text, str) or len(text) > _LONGEST:
            raise BadRequest(f"must be text of at most {_LONGEST} characters", where=f"{name}[{number}]")
        texts.append(text.strip())
    return [text for text in texts if text]


def _finding(text: str, where: str, codes: FindingCodes, named: Callable[[str], str | None]) -> str | Unmapped:
    """The term that was meant, or the remark that none is known."""
    system, separator, code = text.rpartition("|")
    if separator:
        return codes.term(system, code) or codes.unmapped(bounded(system, MAX_NAME), bounded(code), where)
    if _HPO_ID.fullmatch(text):
        return codes.term(HPO, text) or codes.unmapped(HPO, text, where)
    if text.upper().startswith(("HP:", "HP_")):
        raise BadRequest("is no HPO id: HP: and seven digits", where=where)
    return named(text) or Unmapped(_TEXT, bounded(text), where, "unknown-name")


def _age(record: Mapping[str, object]) -> float | None:
    age = _number(record, "age_years")
    if age is not None and not 0 <= age <= _OLDEST:
        raise BadRequest(f"must be between 0 and {_OLDEST:g}", where="age_years")
    return age


def _limit(record: Mapping[str, object]) -> int:
    limit = _number(record, "limit")
    if limit is None:
        return 10
    if not 1 <= limit <= MOST_CANDIDATES or limit != int(limit):
        raise BadRequest(f"must be a whole number from 1 to {MOST_CANDIDATES}", where="limit")
    return int(limit)


def _sex(record: Mapping[str, object]) -> str | None:
    sex = record.get("sex")
    if sex in (None, "", "unknown"):
        return None
    if sex not in ("male", "female"):
        raise BadRequest("must be male, female or unknown", where="sex")
    return str(sex)


def _number(record: Mapping[str, object], name: str) -> float | None:
    """A number, also as the text a query has; None where it is absent."""
    value = record.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadRequest("must be a number", where=name)
    try:
        return float(value)
    except (ValueError, OverflowError) as problem:
        raise BadRequest("must be a number", where=name) from problem
