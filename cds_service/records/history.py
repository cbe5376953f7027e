"""A hospital's own history, row by row: a flat record and what was later true, or the reason why the row is dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import inf
from pathlib import Path
from typing import Any

from cds_service.domain.label import CATEGORIES, CODE_SHAPES
from cds_service.errors import BadRequest
from cds_service.records.fields import LONGEST_TEXT, flag
from cds_service.records.history_file import cells_of, visit_of
from cds_service.records.history_map import HistoryMap, spelled
from cds_service.records.reader import MOST_CHRONIC, OLDEST_YEARS
from cds_service.records.readings import QUANTITIES

_NUMBERS = frozenset({*QUANTITIES, "age", "chronic_count"})
_SEXES = frozenset({"male", "female", "unknown"})
# What the reader of every record would refuse the whole record for.
_RANGES = {"age": (0.0, OLDEST_YEARS), "chronic_count": (0.0, MOST_CHRONIC)}
_SIGNED = r"[+-]?[0-9]{{1,9}}(?:{}[0-9]{{1,9}})?"
_DECIMALS = {mark: re.compile(_SIGNED.format(re.escape(mark))) for mark in (".", ",")}
# Control characters, the sign for what could not be read, and bytes that are not of the file's encoding.
_INVALID = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ud800-\udfff]")
_EARLIEST = 1971  # ids of predictions count time from 1970
_DAYS_A_YEAR = 365.2425


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One visit: the record every sender's could be, and what was later true of it. `key` names the visit."""

    line: int
    key: tuple[str, str]
    at: datetime
    record: Mapping[str, Any]
    category: str | None
    icu_admission: bool | None
    diagnosis: tuple[str, str] | None

    def __repr__(self) -> str:
        """Only where it stands: the rest is about a patient."""
        return f"HistoryRow({self.line})"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A row that is not taken: its line, why, and the field or column that decided it. Never a value."""

    line: int
    reason: str
    where: str = ""


class Unreadable(Exception):
    """A field whose text is not what the map declares."""

    def __init__(self, reason: str, where: str) -> None:
        super().__init__(reason)
        self.reason, self.where = reason, where


def read_history(
    path: Path, declared: HistoryMap, chosen: Mapping[tuple[str, str], int], *, now: datetime
) -> Iterator[HistoryRow | Dropped]:
    """Every row of the file, taken or dropped; `chosen` is the line to read of each visit (`count_rows`)."""
    words = {name: declared.words(name) for name in ("category", "sex", *declared.values)}
    for line, cells in cells_of(path, declared):
        if cells is None:
            yield Dropped(line, "wrong-number-of-fields")
            continue
        try:
            yield _row(line, cells, declared, words, chosen, now)
        except Unreadable as problem:
            yield Dropped(line, problem.reason, problem.where)


def _row(
    line: int,
    cells: Mapping[str, str],
    declared: HistoryMap,
    words: Mapping[str, Mapping[str, str]],
    chosen: Mapping[tuple[str, str], int],
    now: datetime,
) -> HistoryRow:
    key = visit_of(cells)
    if key is None:
        raise Unreadable("no-patient-or-time", "patient_id")
    if chosen[key] != line:
        raise Unreadable("duplicate", "patient_id")
    given = _given(cells, declared, words)
    at = _moment(given.pop("observed_at", ""), declared)
    if at > now:
        raise Unreadable("future", "observed_at")
    if at.year < _EARLIEST:
        raise Unreadable("impossible", "observed_at")
    given.pop("visit_id", None)
    facts = {name: given.pop(name, None) for name in ("category", "icu_admission", "diagnosis")}
    if not any(facts.values()):
        raise Unreadable("no-label", "category")
    if birth := given.pop("birth_date", ""):
        given.setdefault("age", _age(birth, at, declared))
    return HistoryRow(
        line=line,
        key=key,
        at=at,
        record={**given, **_units(given, declared), "encounter_class": declared.encounter_class},
        category=_category(facts["category"]),
        icu_admission=_outcome(facts["icu_admission"]),
        diagnosis=_diagnosis(facts["diagnosis"], declared),
    )


def _given(cells: Mapping[str, str], declared: HistoryMap, words: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """The fields that say something, in our words and with a decimal point."""
    given: dict[str, Any] = {}
    for name, cell in cells.items():
        said = _clean(name, cell, declared)
        if said in declared.missing:
            continue
        if name in words:
            said = words[name].get(spelled(said), said)
        wrong = _wrong(name, said, declared)
        if wrong is None:
            given[name] = said.replace(declared.decimal, ".") if name in _NUMBERS else said[:LONGEST_TEXT]
        elif declared.rules[wrong[0]] == "drop":
            raise Unreadable(wrong[1], name)
    return given


def _wrong(name: str, said: str, declared: HistoryMap) -> tuple[str, str] | None:
    """The rule that decides, and the reason, where a number is none or a value cannot be of a patient."""
    if name == "sex" and said not in _SEXES:
        return "unreadable", "unknown-sex"
    if name not in _NUMBERS:
        return None
    if not _DECIMALS[declared.decimal].fullmatch(said):
        return "unreadable", "not-a-number"
    low, high = _RANGES.get(name, (-inf, inf))
    return None if low <= float(said.replace(declared.decimal, ".")) <= high else ("impossible", "impossible")


def _clean(name: str, cell: str, declared: HistoryMap) -> str:
    if not _INVALID.search(cell):
        return cell
    if declared.rules["invalid_characters"] == "drop":
        raise Unreadable("invalid-characters", name)
    return _INVALID.sub("", cell).strip()


def _moment(said: str, declared: HistoryMap) -> datetime:
    """The time in UTC, by the first declared format that fits; in the file's zone where it names none."""
    found = _by_format(said, declared)
    if found is None:
        raise Unreadable("not-a-time", "observed_at")
    return (found if found.tzinfo else found.replace(tzinfo=declared.zone)).astimezone(UTC)


def _by_format(said: str, declared: HistoryMap) -> datetime | None:
    for pattern in declared.dates:
        try:
            return datetime.strptime(said, pattern)
        except ValueError:
            continue
    return None


def _age(birth: str, at: datetime, declared: HistoryMap) -> str:
    found = _by_format(birth, declared)
    if found is None:
        raise Unreadable("not-a-date", "birth_date")
    born: date = found.date()
    return f"{(at.date() - born).days / _DAYS_A_YEAR:.4f}"


def _units(given: Mapping[str, Any], declared: HistoryMap) -> dict[str, str]:
    """The declared unit of each quantity that was given without one."""
    return {
        f"{name}_unit": unit for name, unit in declared.units.items() if name in given and f"{name}_unit" not in given
    }


def _category(said: str | None) -> str | None:
    if said is not None and said not in CATEGORIES:
        raise Unreadable("unknown-category", "category")
    return said


def _outcome(said: str | None) -> bool | None:
    try:
        return flag("icu_admission", {"icu_admission": said})
    except BadRequest:
        raise Unreadable("neither-yes-nor-no", "icu_admission") from None


def _diagnosis(said: str | None, declared: HistoryMap) -> tuple[str, str] | None:
    if said is None:
        return None
    code = said.upper()
    if not CODE_SHAPES[declared.diagnosis_system].fullmatch(code):
        raise Unreadable("not-a-code", "diagnosis")
    return declared.diagnosis_system, code
