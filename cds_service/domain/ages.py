"""Ages from birth dates, and the moment a calendar day begins; dates that say only a year or a month included."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple

# Ages at which a rule changes: NEWS2 from 16 (RCP 2017), the risk model from 18 (its training population).
AGE_THRESHOLDS = (16, 18)

# Beyond this a birth date is a placeholder or an error: the longest documented life is 122 years. Chosen by us.
MAX_AGE_YEARS = 130

# A calendar day begins first where the clock is 14 hours ahead of UTC (Kiritimati, tz database).
_FIRST_ZONE = timedelta(hours=14)


class Precision(IntEnum):
    """How much of a date was said."""

    YEAR = 1
    MONTH = 2
    DAY = 3


class Age(NamedTuple):
    """Age at a moment; `years` is None where `remarks` say why. `birth_date` only when the whole date is known."""

    years: float | None = None
    birth_date: date | None = None
    remarks: tuple[str, ...] = ()


def earliest_moment(day: date) -> datetime:
    """The UTC moment at which the day begins somewhere on earth; OverflowError at the calendar's ends.

    So that a reading of which only the day is known is rather taken for too old than for current.
    """
    return datetime(day.year, day.month, day.day, tzinfo=UTC) - _FIRST_ZONE


def age_of(first: date, precision: Precision, *, at: datetime) -> Age:
    """Age in years at `at` of who was born on the day `first`, or in the year or month that begins with it.

    A partial date is taken as its middle day when no day it can mean lies on the other side of an age threshold,
    else the age is unknown.
    """
    last = _last_day(first, precision)
    oldest = _years_between(first, at.date())
    youngest = oldest if first is last else _years_between(last, at.date())
    if youngest < 0:
        return Age(remarks=("birth-date-in-future",))
    if oldest > MAX_AGE_YEARS:
        return Age(remarks=("birth-date-implausible",))
    if first == last:
        return Age(years=oldest, birth_date=first)
    if any(youngest < threshold <= oldest for threshold in AGE_THRESHOLDS):
        return Age(remarks=("age-uncertain",))
    return Age(years=_years_between(first + (last - first) // 2, at.date()), remarks=("birth-date-partial",))


def _last_day(first: date, precision: Precision) -> date:
    if precision is Precision.DAY:
        return first
    if precision is Precision.MONTH:
        return (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return first.replace(month=12, day=31)


def _years_between(birth: date, today: date) -> float:
    """Whole calendar years, and the part of the running one; negative before birth."""
    whole = today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))
    return whole + (today - _birthday(birth, birth.year + whole)).days / 366


def _birthday(birth: date, year: int) -> date:
    if (birth.month, birth.day) == (2, 29) and not _is_leap(year):
        return date(year, 3, 1)
    return birth.replace(year=year)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
