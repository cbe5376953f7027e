"""One patient at one moment: the canonical record every sender's data becomes before anything is scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

Value: TypeAlias = float | str | bool


class NotUsed(StrEnum):
    """Why a reading takes no part in any score."""

    ENTERED_IN_ERROR = "entered-in-error"
    CANCELLED = "cancelled"
    NOT_FINAL = "not-final"
    NO_VALUE = "no-value"
    NOT_MEASURED = "not-measured"
    COMPARATOR = "comparator"
    NOT_A_NUMBER = "not-a-number"
    UNKNOWN_VALUE = "unknown-value"
    UNKNOWN_UNIT = "unknown-unit"
    MISSING_UNIT = "missing-unit"
    IMPLAUSIBLE = "implausible"
    INCONSISTENT = "inconsistent"
    STALE = "stale"
    FUTURE = "future"
    NO_TIME = "no-time"
    CONFLICTING = "conflicting"
    CODE_CONFLICT = "code-conflict"
    SUPERSEDED = "superseded"
    OTHER_PATIENT = "other-patient"
    NO_PATIENT = "no-patient"


class Reading(NamedTuple):
    """One value in its canonical unit (`VITAL_SIGNS[name].unit`), and where it came from.

    `original` is value and unit as they were sent; `flags` are machine-readable remarks
    such as `preliminary`, `time-from-issued` or `confusion-not-asked`.
    """

    name: str
    value: Value
    time: datetime
    source: str
    original: str
    flags: tuple[str, ...] = ()


class Timed(Protocol):
    """What has a value and a time: a reading, whole or in short."""

    @property
    def value(self) -> Value:
        """In the canonical unit."""

    @property
    def time(self) -> datetime:
        """When it was measured."""


AnyReading = TypeVar("AnyReading", bound=Timed)


def newest_beat(readings: Mapping[str, AnyReading]) -> AnyReading | None:
    """The heart rate or the pulse, whichever is newer; of two at one moment the heart rate."""
    heart, pulse = readings.get("heart_rate"), readings.get("pulse_rate")
    if heart is None or pulse is None:
        return pulse if heart is None else heart
    return pulse if pulse.time > heart.time else heart


class UnusedReading(NamedTuple):
    """A reading left out of every score, and why.

    `detail` names codes, units or ages, never more of the patient than `original` does.
    `alarming` marks values that may be an emergency rather than an error, such as 0/min.
    """

    name: str
    reason: NotUsed
    source: str
    original: str = ""
    detail: str = ""
    time: datetime | None = None
    alarming: bool = False


class Condition(NamedTuple):
    """A recorded diagnosis: code, its system, and what the tables say of it."""

    system: str
    code: str
    source: str
    chronic: bool | None = None
    chronic_category: str | None = None
    palliative: bool = False
    recorded: date | None = None


# A call makes a dozen: with all fields given, and without the Python function that constructs a named tuple.
new_reading: Callable[[tuple[str, Value, datetime, str, str, tuple[str, ...]]], Reading] = partial(
    tuple.__new__, Reading
)
new_unused: Callable[[tuple[str, NotUsed, str, str, str, datetime | None, bool]], UnusedReading] = partial(
    tuple.__new__, UnusedReading
)
new_condition: Callable[[tuple[str, str, str, bool | None, str | None, bool, date | None]], Condition] = partial(
    tuple.__new__, Condition
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What names the patient, and the visit (`visits`). Never part of a prediction row, a card or a log line."""

    patient_id: str
    name: str = ""
    birth_date: date | None = None
    identifiers: tuple[tuple[str, str], ...] = ()
    visits: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PatientSnapshot:
    """One patient at the moment `at` (UTC); what is not known is None.

    `conditions` is None when no condition list was read, which differs from an empty one.
    `spo2_scale` is 2 only from a recorded clinical decision. `sex` is `male`, `female` or None.
    `readings` maps vital-sign names to the one reading used for each.
    """

    at: datetime
    identity: Identity
    age_years: float | None = None
    sex: str | None = None
    readings: Mapping[str, Reading] = field(default_factory=lambda: MappingProxyType({}))
    not_used: tuple[UnusedReading, ...] = ()
    conditions: tuple[Condition, ...] | None = None
    chronic_count: int | None = None
    pregnant: bool | None = None
    spo2_scale: int = 1
    encounter_class: str | None = None
    complaint_group: str | None = None
    arrived_by_ambulance: bool | None = None
    remarks: tuple[str, ...] = ()

    @property
    def beat(self) -> Reading | None:
        """The heart rate or the pulse, whichever is newer; of two at one moment the heart rate."""
        return newest_beat(self.readings)

    def number(self, name: str) -> float | None:
        """Value of a numeric vital sign in its canonical unit, or None."""
        reading = self.readings.get(name)
        return None if reading is None or isinstance(reading.value, str) else float(reading.value)
