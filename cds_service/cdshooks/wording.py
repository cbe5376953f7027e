"""The words of a card: names, units and reasons in both languages, and the one place where its numbers are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType

from cds_service.cdshooks.markdown import quoted
from cds_service.domain.patient import NotUsed, Value
from cds_service.i18n import Translate, msgid, translator

Table = Mapping[str, str]

# Name and unit of each vital sign as a clinician writes them (UCUM's print symbols: Cel is °C, mm[Hg] is mmHg).
VITALS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "respiratory_rate": (msgid("breathing"), "/min"),
        "spo2": ("SpO2", " %"),
        "on_oxygen": (msgid("oxygen"), ""),
        "oxygen_flow": (msgid("oxygen flow"), " L/min"),
        "oxygen_concentration": (msgid("oxygen concentration"), " %"),
        "systolic_bp": (msgid("systolic"), " mmHg"),
        "diastolic_bp": (msgid("diastolic"), " mmHg"),
        "heart_rate": (msgid("heart rate"), "/min"),
        "pulse_rate": (msgid("pulse"), "/min"),
        "consciousness": (msgid("consciousness"), ""),
        "gcs_total": (msgid("Glasgow coma scale"), ""),
        "temperature": (msgid("temperature"), " °C"),
        "pain": (msgid("pain"), "/10"),
        "height": (msgid("height"), " cm"),
        "weight": (msgid("weight"), " kg"),
        "bmi": (msgid("body mass index"), " kg/m2"),
        "blood_group": (msgid("blood group"), ""),
        "exercise_days": (msgid("days of exercise a week"), ""),
    }
)

# Other names a prediction speaks of: NEWS2's parameters (domain/prediction.py) and the model's columns.
OTHER_NAMES: Table = MappingProxyType(
    {
        "pulse": msgid("pulse"),
        "age": msgid("age"),
        "sex": msgid("sex"),
        "arrived_by_ambulance": msgid("arrival by ambulance"),
        "complaint_group": msgid("complaint"),
        "chronic_count": msgid("chronic conditions"),
        "encounter_class": msgid("class of encounter"),
    }
)

# Coded values, each saying its own name; a value of any other name is shown as a number or quoted.
VALUES: Mapping[str, Mapping[Value, str]] = MappingProxyType(
    {
        "on_oxygen": {True: msgid("on oxygen"), False: msgid("breathing room air")},
        "consciousness": {
            "A": msgid("alert (A)"),
            "C": msgid("new confusion (C)"),
            "V": msgid("responds to voice (V)"),
            "P": msgid("responds to pain (P)"),
            "U": msgid("unresponsive (U)"),
        },
        "sex": {"male": msgid("male"), "female": msgid("female"), 1.0: msgid("male"), 0.0: msgid("female")},
        "arrived_by_ambulance": {1.0: msgid("arrived by ambulance"), 0.0: msgid("did not arrive by ambulance")},
    }
)

REASONS: Table = MappingProxyType(
    {
        NotUsed.ENTERED_IN_ERROR: msgid("entered in error"),
        NotUsed.CANCELLED: msgid("cancelled"),
        NotUsed.NOT_FINAL: msgid("not a final result"),
        NotUsed.NO_VALUE: msgid("sent without a value"),
        NotUsed.COMPARATOR: msgid("only a limit (less or more than) was sent"),
        NotUsed.NOT_A_NUMBER: msgid("not a number"),
        NotUsed.UNKNOWN_VALUE: msgid("value not understood"),
        NotUsed.UNKNOWN_UNIT: msgid("unit not understood"),
        NotUsed.MISSING_UNIT: msgid("sent without a unit"),
        NotUsed.IMPLAUSIBLE: msgid("impossible in that unit, check"),
        NotUsed.INCONSISTENT: msgid("contradicts another reading, check"),
        NotUsed.STALE: msgid("too old"),
        NotUsed.FUTURE: msgid("dated in the future, check"),
        NotUsed.NO_TIME: msgid("sent without a time"),
        NotUsed.CONFLICTING: msgid("two different values at the same time, check"),
        NotUsed.CODE_CONFLICT: msgid("its codes contradict each other"),
        NotUsed.SUPERSEDED: msgid("a newer reading was used"),
        NotUsed.OTHER_PATIENT: msgid("belongs to another patient"),
    }
)

# RCP 2017 (NEWS2), responses to the thresholds, shortened.
RESPONSES: Table = MappingProxyType(
    {
        "low": msgid("Published response: routine monitoring, a registered nurse assesses from 1 point on."),
        "low-medium": msgid(
            "Published response to a single 3: urgent ward-based review, observations at least hourly."
        ),
        "medium": msgid(
            "Published response to 5 or 6: urgent assessment by a clinician competent in acute illness, "
            "observations at least hourly."
        ),
        "high": msgid(
            "Published response to 7 or more: emergency assessment by a team with critical-care skills, "
            "continuous monitoring."
        ),
    }
)

NEWS2_OMITTED: Table = MappingProxyType(
    {
        "age-unknown": msgid("age unknown"),
        "under-16": msgid("not for patients under 16"),
        "pregnant": msgid("pregnancy recorded, use the local maternity early-warning score"),
        "no-inputs": msgid("none of its seven inputs is known"),
    }
)

RISK_OMITTED: Table = MappingProxyType(
    {
        "age-unknown": msgid("age unknown"),
        "under-18": msgid("made for adults"),
        "not-emergency": msgid("made for emergency visits"),
        "encounter-class-unknown": msgid("made for emergency visits, class of this encounter unknown"),
        "no-vitals": msgid("no vital sign to start from"),
    }
)

REMARKS: Table = MappingProxyType(
    {
        "pregnancy-unknown": msgid("Pregnancy unknown: NEWS2 is not for use in pregnancy."),
        "confusion-not-asked": msgid("New confusion was not asked for: alertness alone does not rule it out."),
        "preliminary": msgid("preliminary"),
        "time-from-issued": msgid("time of the report"),
    }
)

STATES: Table = MappingProxyType(
    {
        "acute": msgid("acute"),
        "chronic": msgid("chronic"),
        "mild": msgid("mild"),
        "terminal": msgid("palliative care or metastatic cancer recorded: check goals of care"),
        "not-ill": msgid("no abnormal vital sign found (does not exclude serious illness)"),
        "not-determinable": msgid("not determinable"),
    }
)

BASES: Table = MappingProxyType(
    {"score": "NEWS2", "model": msgid("risk"), "record": msgid("record"), "rule": msgid("rule")}
)

BANDS: Table = MappingProxyType({"low": msgid("low"), "moderate": msgid("moderate"), "high": msgid("high")})


@dataclass(frozen=True, slots=True)
class Words:
    """The tables above in one language, translated once; `t` translates whole sentences."""

    t: Translate
    decimal_comma: bool
    forms: Mapping[str, tuple[str, str, Mapping[Value, str]]]
    reasons: Table
    responses: Table
    news2_omitted: Table
    risk_omitted: Table
    remarks: Table
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

    def name(self, name: str) -> str:
        """The name of a vital sign, parameter or column; a name from data is quoted."""
        form = self.forms.get(name)
        return form[0] if form else quoted(name)

    def reading(self, name: str, value: Value) -> str:
        """Name and value with its unit: `heart rate 128/min`, `on oxygen`."""
        form = self.forms.get(name)
        label, unit, coded = form or (quoted(name), "", _NO_VALUES)
        if coded and value in coded:
            return coded[value]
        return f"{label} {quoted(value)}" if isinstance(value, str) else f"{label} {self.number(value)}{unit}"

    def age(self, minutes: float) -> str:
        """A span of time in its largest unit that still counts two or more: `95 min`, `3 h`, `92 days`."""
        for size, longest, unit in _SPANS:
            if minutes < longest:
                return f"{max(0, int(minutes / size))} {self.t(unit)}"
        return f"{int(minutes / _YEAR)} {self.t(_YEARS)}"


_NO_VALUES: Mapping[Value, str] = {}

# Minutes in a unit, minutes from which the next unit is used, its name: never "1 days".
_YEAR, _YEARS = 365 * 1440, msgid("years")
_SPANS = (
    (1, 120, "min"),
    (60, 2 * 1440, "h"),
    (1440, 60 * 1440, msgid("days")),
    (30 * 1440, 2 * _YEAR, msgid("months")),
)


def minutes_between(start: datetime, end: datetime) -> float:
    """Minutes from one moment to a later one."""
    span = end - start
    return span.days * 1440 + span.seconds / 60


_TWO_DIGITS = tuple(f"{number:02d}" for number in range(60))


def clock(time: datetime, at: datetime) -> str:
    """Hour and minute of `time`, with its date when that is not the date of `at`; both in UTC."""
    hour = f"{_TWO_DIGITS[time.hour]}:{_TWO_DIGITS[time.minute]}"
    return hour if time.date() == at.date() else f"{time.date()} {hour}"


@lru_cache(maxsize=8)
def words(language: str) -> Words:
    """All words of one language."""
    t = translator(language)

    def translated(table: Table) -> Table:
        return {key: t(text) for key, text in table.items()}

    return Words(
        t=t,
        decimal_comma=language == "es",
        forms={
            name: (t(label), unit, {value: t(text) for value, text in VALUES.get(name, _NO_VALUES).items()})
            for name, (label, unit) in (*VITALS.items(), *((name, (label, "")) for name, label in OTHER_NAMES.items()))
        },
        reasons=translated(REASONS),
        responses=translated(RESPONSES),
        news2_omitted=translated(NEWS2_OMITTED),
        risk_omitted=translated(RISK_OMITTED),
        remarks=translated(REMARKS),
        states=translated(STATES),
        bases=translated(BASES),
        bands=translated(BANDS),
    )
