"""A bundled request moved to the present, so that its readings are fresh when it is tried."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}[+-]\d{2}:\d{2}")
_INSTANCE = re.compile(r'("hookInstance":\s*")[0-9a-f-]{36}')
_AGE = timedelta(minutes=5)


def moved_to_now(text: str, now: datetime, *, hook_instance: str) -> str:
    """The request with every time shifted so that the newest is five minutes old, under this hookInstance."""
    times = _TIME.findall(text)
    shift = now.astimezone(UTC) - _AGE - max(datetime.fromisoformat(time) for time in times)
    shift = timedelta(seconds=int(shift.total_seconds()))
    moved = _TIME.sub(lambda match: (datetime.fromisoformat(match[0]) + shift).isoformat(), text)
    return _INSTANCE.sub(lambda match: f"{match[1]}{hook_instance}", moved)
