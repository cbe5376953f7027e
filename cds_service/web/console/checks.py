"""What is asked about a field before the form is taken: the domain's own ranges, in the unit that was typed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cds_service.domain.early_warning import CHART
from cds_service.domain.statements import Given, quantity
from cds_service.domain.vitals import USUAL, VITAL_SIGNS, VitalSign
from cds_service.errors import BadRequest
from cds_service.i18n import msgid
from cds_service.records.fields import number
from cds_service.records.reader import OLDEST_YEARS
from cds_service.web.console.form import FIELDS, IDENTITY_UNKNOWN, UNITS, birth_date, is_identified, years_since

# Why an impossible value is kept: a list, since words of one's own could name the patient.
REASONS = (
    ("device", msgid("the device shows it")),
    ("repeated", msgid("measured twice")),
    ("chart", msgid("written so in the chart")),
)
_OTHER_NAMES = {"pulse_rate": "heart_rate"}
_CHART_NAMES = {"pulse_rate": "pulse"}


class Kind(StrEnum):
    """What is wrong with a field, or may be."""

    UNREADABLE = "unreadable"
    OUTSIDE = "outside"
    DIFFERS = "differs"
    MISSING = "missing"
    ANONYMOUS = "anonymous"
    IMPOSSIBLE = "impossible"
    ALARMING = "alarming"
    CLASHING = "clashing"
    UNUSUAL = "unusual"


_WRONG = frozenset({Kind.UNREADABLE, Kind.OUTSIDE, Kind.DIFFERS, Kind.MISSING, Kind.ANONYMOUS})


@dataclass(frozen=True, slots=True)
class Doubt:
    """A field that is asked about; `low` and `high` bound what can be true, in the unit that was typed, for an
    impossible value and one outside; in `other_unit` an impossible value could be true.

    An impossible value is kept only with a reason and never scored; an alarming one may be the emergency itself. Of
    clashing pressures neither is scored. An unusual value is scored once it is confirmed.
    """

    name: str
    kind: Kind
    low: float = 0
    high: float = 0
    other_unit: str = ""

    @property
    def is_wrong(self) -> bool:
        """Whether it must be mended: nothing can be confirmed or kept."""
        return self.kind in _WRONG

    @property
    def wants_reason(self) -> bool:
        """Whether the value is kept only with a reason."""
        return not self.is_wrong and self.kind is not Kind.UNUSUAL


@dataclass(frozen=True, slots=True)
class Answers:
    """What was said to doubts: values confirmed as they stand (`pulse_rate=215`), and reasons by field."""

    confirmed: Collection[str]
    kept: Mapping[str, str]

    def settle(self, doubt: Doubt, given: Mapping[str, str]) -> bool:
        """Whether the value is taken as it stands."""
        if doubt.wants_reason:
            return self.kept.get(doubt.name) in dict(REASONS)
        return not doubt.is_wrong and f"{doubt.name}={given[doubt.name]}" in self.confirmed


def doubts(given: Mapping[str, str], *, today: date) -> dict[str, Doubt]:
    """What is asked, by field, in the order of the form."""
    found = {doubt.name: doubt for doubt in (*_person(given, today), *_numbers(given), *_scale(given))}
    clash = None if {"systolic_bp", "diastolic_bp"} & {d.name for d in found.values() if _is_out(d)} else _clash(given)
    if clash is not None:
        found[clash.name] = clash
    return {name: found[name] for name in FIELDS if name in found}


def normal_range(name: str) -> tuple[float | None, float | None]:
    """Where an adult's value gives no point of NEWS2 (RCP 2017, chart 1); open ends and unscored values are None."""
    chart = CHART.get(_CHART_NAMES.get(name, name))
    if chart is None:
        return None, None
    (tops, points), per_unit = chart
    place = points.index(0)
    low = (tops[place - 1] + 1) / per_unit if place else None
    return low, tops[place] / per_unit if place < len(tops) else None


def in_unit(sign: VitalSign, value: float, unit: str) -> float:
    """A canonical value in another of the vital sign's units, to one decimal."""
    factor, offset = sign.units.get(unit, (1.0, 0.0))
    return round((value - offset) / factor, 1)


def _is_out(doubt: Doubt) -> bool:
    return doubt.is_wrong or doubt.wants_reason


def _person(given: Mapping[str, str], today: date) -> Iterator[Doubt]:
    """Whether it is said who it is; the birth date and the age, and whether they agree."""
    if not is_identified(given) and IDENTITY_UNKNOWN not in given:
        yield Doubt(IDENTITY_UNKNOWN, Kind.ANONYMOUS)
    born = None
    try:
        born = birth_date(given, today)
    except BadRequest:
        yield Doubt("birth_date", Kind.UNREADABLE)
    if "age" not in given:
        return
    try:
        age = number("age", given["age"])
    except BadRequest:
        yield Doubt("age", Kind.UNREADABLE)
        return
    if not 0 <= age <= OLDEST_YEARS:
        yield Doubt("age", Kind.OUTSIDE, 0, OLDEST_YEARS)
    elif born is not None and abs(age - years_since(born, today)) > 1:
        yield Doubt("age", Kind.DIFFERS)


def _numbers(given: Mapping[str, str]) -> Iterator[Doubt]:
    for name in given:
        sign = VITAL_SIGNS.get(name)
        if sign is not None and sign.kind == "quantity":
            doubt = _doubt(sign, given[name], given.get(f"{name}_unit", sign.unit))
            if doubt is not None:
                yield doubt


def _doubt(sign: VitalSign, value: str, unit: str) -> Doubt | None:
    if unit not in UNITS.get(sign.name, (sign.unit,)):
        return Doubt(sign.name, Kind.UNREADABLE)
    try:
        said = quantity(sign, number(sign.name, value), unit)
    except BadRequest:
        return Doubt(sign.name, Kind.UNREADABLE)
    least = sign.low if sign.usable_low is None else sign.usable_low
    low, high = (in_unit(sign, bound, unit) for bound in (least, sign.high))
    if not isinstance(said, Given):
        kind = Kind.ALARMING if said.alarming else Kind.IMPOSSIBLE
        return Doubt(sign.name, kind, low, high, _possible_unit(sign, value, unit))
    usual_low, usual_high = USUAL.get(_OTHER_NAMES.get(sign.name, sign.name), (sign.low, sign.high))
    return None if usual_low <= float(said.value) <= usual_high else Doubt(sign.name, Kind.UNUSUAL, low, high)


def _possible_unit(sign: VitalSign, value: str, unit: str) -> str:
    """Another unit of the form in which the value could be true, if there is one."""
    others = (other for other in UNITS.get(sign.name, ()) if other != unit)
    return next((other for other in others if isinstance(quantity(sign, number(sign.name, value), other), Given)), "")


def _scale(given: Mapping[str, str]) -> Iterator[Doubt]:
    """Scale 2 is a clinician's decision, and says whose."""
    if given.get("spo2_scale") == "2" and "spo2_scale_by" not in given:
        yield Doubt("spo2_scale_by", Kind.MISSING)


def _clash(given: Mapping[str, str]) -> Doubt | None:
    """That the diastolic pressure is not below the systolic: nobody can say which is wrong."""
    if "systolic_bp" not in given or "diastolic_bp" not in given:
        return None
    systolic, diastolic = (number(name, given[name]) for name in ("systolic_bp", "diastolic_bp"))
    return None if diastolic < systolic else Doubt("diastolic_bp", Kind.CLASHING)
