"""FHIR dates and times: to aware UTC moments, and birth dates to ages."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import lru_cache

from cds_service.domain.ages import Age, Precision, age_of, earliest_moment

# R4 datatypes, `dateTime` and `instant`: with a time of day the zone is required. Seconds are required by the
# standard too; they are left out by real senders and harmless to do without.
_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d(:([0-5]\d|60)(\.\d{1,9})?)?(Z|[+-](0\d|1[0-4]):[0-5]\d)", re.ASCII
)
_PARTIAL_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)

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
        return None if first is None else (earliest_moment(first), True)
    except (ValueError, OverflowError):
        return None


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


def age_from_birth_date(text: str | None, *, at: datetime) -> Age:
    """Age in years at `at` from a FHIR date."""
    if text is None:
        return Age(remarks=("birth-date-missing",))
    first = _day(text) if len(text) <= _LONGEST_DATE else None
    return Age(remarks=("birth-date-unreadable",)) if first is None else age_of(first, _PRECISION[len(text)], at=at)


_PRECISION = {len("2026"): Precision.YEAR, len("2026-03"): Precision.MONTH, len("2026-03-14"): Precision.DAY}
