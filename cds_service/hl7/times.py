"""HL7 v2 times: to aware UTC moments, in the zone that was sent, declared in MSH-7 or set by the site."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import NamedTuple

from cds_service.domain.ages import Precision, earliest_moment

# YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ] (chapter 2A, DTM); more digits of a second are met and harmless.
_TIME = re.compile(r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(\.\d{1,9})?)?)?)?)?)?([+-]\d{4})?", re.ASCII)
_OFFSET = re.compile(r"[+-]\d{4}", re.ASCII)
_LONGEST_OFFSET = timedelta(hours=14)


class Moment(NamedTuple):
    """A moment in UTC, with remarks on how it was known."""

    time: datetime
    flags: tuple[str, ...] = ()


# The longest text the pattern allows has 29 characters.
_LONGEST = 32


def moment_of(text: str, zone: tzinfo) -> Moment | None:
    """The UTC moment of an HL7 time, `zone` being that of times without one; None when it is none.

    None, too, for a time the zone's clocks skip. Of one they show twice the earlier counts, and of a date without time
    of day the first moment it can mean, so that a reading is rather taken for too old than for current.
    """
    return _moment(text, zone) if len(text) <= _LONGEST else None


@lru_cache(maxsize=2048)
def _moment(text: str, zone: tzinfo) -> Moment | None:
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        first = date(int(year), int(month or 1), int(day or 1))
        if hour is None:
            return Moment(earliest_moment(first), ("time-partial",))
        micro = int(((fraction or ".0")[1:7]).ljust(6, "0"))
        wall = datetime(
            first.year, first.month, first.day, int(hour), int(minute or 0), min(int(second or 0), 59), micro
        )
        if second is not None and int(second) > 60:
            return None
        flags = () if minute else ("time-partial",)
        if offset is not None:
            fixed = offset_of(offset)
            return None if fixed is None else Moment(wall.replace(tzinfo=fixed).astimezone(UTC), flags)
        return _in_zone(wall, zone, flags)
    except (ValueError, OverflowError):
        return None


def _in_zone(wall: datetime, zone: tzinfo, flags: tuple[str, ...]) -> Moment | None:
    local = wall.replace(tzinfo=zone)
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != wall:
        return None
    is_twice = local.utcoffset() != local.replace(fold=1).utcoffset()
    return Moment(moment, (*flags, "time-ambiguous") if is_twice else flags)


@lru_cache(maxsize=64)
def offset_of(text: str) -> tzinfo | None:
    """The fixed zone of an offset such as +0100, None when it is none."""
    if not _OFFSET.fullmatch(text) or int(text[3:]) > 59:
        return None
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[3:]))
    return None if offset > _LONGEST_OFFSET else timezone(-offset if text[0] == "-" else offset)


def zone_of(text: str, otherwise: tzinfo) -> tzinfo:
    """The zone a time names, which for MSH-7 is that of the whole message (chapter 2, MSH-7); else `otherwise`."""
    return offset_of(text[-5:]) or otherwise


class Day(NamedTuple):
    """The first day a date can mean, and how much of it was said."""

    first: date
    precision: Precision


_PRECISIONS = {4: Precision.YEAR, 6: Precision.MONTH, 8: Precision.DAY}


def day_of(text: str) -> Day | None:
    """The day of an HL7 date or time, None when it is none."""
    return _day(text[:8])


@lru_cache(maxsize=2048)
def _day(digits: str) -> Day | None:
    precision = _PRECISIONS.get(len(digits))
    if precision is None or not (digits.isascii() and digits.isdigit()):
        return None
    try:
        return Day(date(int(digits[:4]), int(digits[4:6] or 1), int(digits[6:8] or 1)), precision)
    except ValueError:
        return None
