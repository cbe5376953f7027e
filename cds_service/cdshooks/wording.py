"""The words of a card: names, units and reasons in both languages, and the one place where its numbers are written."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TypeAlias

from cds_service.cdshooks.complaint_words import COMPLAINTS
from cds_service.cdshooks.markdown import quoted
from cds_service.domain.patient import Value
from cds_service.i18n import Translate, msgid, translator
from cds_service.vocabulary import (
    ADVICE_WITHOUT_NEWS2,
    BANDS,
    BASES,
    FIRST_REMARKS,
    FLAGS,
    NEWS2_OMITTED,
    OTHER_NAMES,
    REASONS,
    RECORD_REMARKS,
    REMARKS,
    RESPONSES,
    RISK_OMITTED,
    STATES,
    THRESHOLDS,
    VALUES,
    VITALS,
    Table,
)

Form: TypeAlias = tuple[str, str, Mapping[Value, str]]
"""How a value is shown: label, unit and coded values."""

# Bound on the sets of NEWS2's seven parameters whose names are remembered as one text: there are 127.
_SETS = 256


class _Known(dict[str, str]):
    """Words by key; a key that is not there came from data, and is quoted."""

    def __missing__(self, key: str) -> str:
        return quoted(key)


@dataclass(frozen=True, slots=True)
class Words:
    """The tables above in one language, translated once; `t` translates whole sentences.

    `name` is the name of a vital sign, parameter or column, `names` that of several; a name from data is quoted.
    `of_hundred` says a count of a hundred visits.
    """

    t: Translate
    decimal_comma: bool
    forms: Mapping[str, Form]
    name: Callable[[str], str]
    names: Callable[[tuple[str, ...]], str]
    of_hundred: tuple[str, ...]
    reasons: Table
    responses: Table
    thresholds: Table
    news2_omitted: Table
    advice_without_news2: Table
    risk_omitted: Table
    remarks: Table
    flags: Table
    record_remarks: Table
    first_remarks: Table
    states: Table
    bases: Table
    bands: Table

    def number(self, value: float) -> str:
        """A number as people of this language write it, with at most two decimals and no trailing zero."""
        whole = int(value)
        if whole == value:
            return f"{whole}"
        text = f"{value:.2f}".rstrip("0").rstrip(".")
        return text.replace(".", ",") if self.decimal_comma else text

    def reading(self, name: str, value: Value) -> str:
        """Name and value with its unit: `heart rate 128/min`, `on oxygen`."""
        label, unit, coded = self.forms.get(name) or (quoted(name), "", _NO_VALUES)
        if coded and value in coded:
            return coded[value]
        if isinstance(value, str):
            return f"{label} {quoted(value)}"
        whole = int(value)  # most values are whole: no need of a call
        return f"{label} {whole if whole == value else self.number(value)}{unit}"

    def age(self, minutes: float) -> str:
        """A span of time in its largest unit that still counts two or more: `95 min`, `3 h`, `92 days`."""
        size, unit = _UNITS[bisect_right(_FROM, minutes)]
        return f"{max(0, int(minutes / size))} {self.t(unit)}"


_NO_VALUES: Mapping[Value, str] = {}

# Minutes in a unit and its name; minutes from which each unit but the first is used, never for "1 days".
_YEAR = 365 * 1440
_UNITS = ((1, "min"), (60, "h"), (1440, msgid("days")), (30 * 1440, msgid("months")), (_YEAR, msgid("years")))
_FROM = (120, 2 * 1440, 60 * 1440, 2 * _YEAR)


def minutes_between(start: datetime, end: datetime) -> float:
    """Minutes from one moment to a later one."""
    span = end - start
    return span.days * 1440 + span.seconds / 60


_TWO_DIGITS = tuple(f"{number:02d}" for number in range(60))


def clock(time: datetime, at: datetime) -> str:
    """Hour and minute of `time`, with its date when that is not the date of `at`; both in one zone."""
    hour = f"{_TWO_DIGITS[time.hour]}:{_TWO_DIGITS[time.minute]}"
    return hour if time.date() == at.date() else f"{time.date().isoformat()} {hour}"


def _forms(t: Translate) -> Mapping[str, Form]:
    """Forms by name."""
    coded: dict[str, Mapping[Value, str]] = {
        name: {value: t(text) for value, text in table.items()} for name, table in VALUES.items()
    }
    complaint = t("complaint: %(group)s")
    coded["complaint_group"] = {group: complaint % {"group": t(text)} for group, text in COMPLAINTS.items()}
    named = {**VITALS, **{name: (label, "") for name, label in OTHER_NAMES.items()}}
    return {name: (t(label), unit, coded.get(name, _NO_VALUES)) for name, (label, unit) in named.items()}


@lru_cache(maxsize=8)
def words(language: str) -> Words:
    """All words of one language."""
    t = translator(language)
    forms, about = _forms(t), t("about %(count)d of 100")
    name = _Known({name: label for name, (label, _, _) in forms.items()}).__getitem__

    def translated(table: Table) -> _Known:
        return _Known({key: t(text) if text else "" for key, text in table.items()})

    return Words(
        t=t,
        decimal_comma=language == "es",
        forms=forms,
        name=name,
        names=lru_cache(maxsize=_SETS)(lambda names: ", ".join(map(name, names))),
        of_hundred=tuple(about % {"count": count} for count in range(101)),
        reasons=translated(REASONS),
        responses=translated(RESPONSES),
        thresholds=translated(THRESHOLDS),
        news2_omitted=translated(NEWS2_OMITTED),
        advice_without_news2=translated(ADVICE_WITHOUT_NEWS2),
        risk_omitted=translated(RISK_OMITTED),
        remarks=translated(REMARKS),
        flags=translated(FLAGS),
        record_remarks=translated(RECORD_REMARKS),
        first_remarks=translated(FIRST_REMARKS),
        states=translated(STATES),
        bases=translated(BASES),
        bands=translated(BANDS),
    )
