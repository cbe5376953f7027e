"""FHIR dates and times: to aware UTC moments, and birth dates to ages."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from msgspec import Struct

# R4 datatypes, `dateTime` and `instant`: with a time of day the zone is required. Seconds are required by the
# standard too; they are left out by real senders and harmless to do without.
_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d(:([0-5]\d|60)(\.\d{1,9})?)?(Z|[+-](0\d|1[0-4]):[0-5]\d)", re.ASCII
)
_PARTIAL_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)

# A calendar day begins first where the clock is 14 hours ahead of UTC (Kiritimati, tz database).
_FIRST_ZONE = timedelta(hours=14)

# Ages at which a rule changes: NEWS2 from 16 (RCP 2017), the risk model from 18 (its training population).
AGE_THRESHOLDS = (16, 18)

# Beyond this a birth date is a placeholder or an error: the longest documented life is 122 years. Chosen by us.
MAX_AGE_YEARS = 130


_LONGEST_DATE = len("2026-03-14")
# The longest text the pattern allows, with nine digits of a second, has 35 characters.
_LONGEST = 40


@lru_cache(maxsize=2048)
def moment_from_datetime(text: str) -> tuple[datetime, bool] | None:
    """The UTC moment of a FHIR dateTime or instant, and whether it is only a partial date; None when unreadable.

    A partial date (`2026`, `2026-03`, `2026-03-14`) becomes the earliest moment it can mean anywhere on earth,
    so that a reading is rather taken for too old than for current.
    """
    if len(text) > _LONGEST:
        return None
    try:
        if _DATE_TIME.fullmatch(text):
            return datetime.fromisoformat(text.replace(":60", ":59", 1)).astimezone(UTC), False
        first = _first_day(text)
        return None if first is None else (_midnight(first) - _FIRST_ZONE, True)
    except (ValueError, OverflowError):
        return None


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _first_day(text: str) -> date | None:
    match = _PARTIAL_DATE.fullmatch(text)
    return match and date(int(match[1]), int(match[2] or 1), int(match[3] or 1))


def day_from_date(text: str | None) -> date | None:
    """The day of a FHIR date or dateTime, the first one of a partial date; None when absent or unreadable."""
    return None if text is None else _day(text[:10])


@lru_cache(maxsize=2048)
def _day(text: str) -> date | None:
    try:
        return _first_day(text)
    except ValueError:
        return None


class Age(Struct, frozen=True, gc=False):
    """Age at a moment; `years` is None where `remarks` say why. `birth_date` only when the whole date is known."""

    years: float | None = None
    birth_date: date | None = None
    remarks: tuple[str, ...] = ()


def age_from_birth_date(text: str | None, *, at: datetime) -> Age:
    """Age in years at `at` from a FHIR date.

    A partial date is taken as its middle day when no day it can mean lies on the other side of an age threshold,
    else the age is unknown.
    """
    if text is None:
        return Age(remarks=("birth-date-missing",))
    first = _day(text) if len(text) <= _LONGEST_DATE else None
    if first is None:
        return Age(remarks=("birth-date-unreadable",))
    last = _last_day(first, len(text))
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


def _last_day(first: date, length: int) -> date:
    if length == len("2026-03-14"):
        return first
    if length == len("2026-03"):
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
