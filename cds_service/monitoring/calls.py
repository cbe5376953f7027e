"""Calls this process answered, by day and by who asked: statuses and times, to be stored beside other processes'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from threading import Lock
from time import time
from typing import NamedTuple
from uuid import uuid4

import msgspec

from cds_service.monitoring.latency import EDGES_S, bucket
from cds_service.monitoring.later import Later

# What calls of people's pages are counted as, all together.
PAGES = "pages"
_DAY_S = 24 * 3600


class RouteCalls(msgspec.Struct):
    """Calls of one route: how many by status, and how many by bucket of `latency.EDGES_S`."""

    statuses: dict[str, int]
    seconds: list[int]


class CallKey(NamedTuple):
    """Whose calls of which day; both names are empty where the caller was not known."""

    day: date
    tenant: str
    environment: str


DayCalls = dict[str, RouteCalls]


class Calls:
    """Counts since the process started. Any thread notes; one stores what is new.

    What is stored replaces what this process stored before, so that storing twice counts once.
    """

    def __init__(self) -> None:
        self.process = uuid4().hex
        self._lock = Lock()
        self._counted: dict[tuple[int, str, str], DayCalls] = {}
        self._changed: set[tuple[int, str, str]] = set()
        self._answered = Later(self._count)

    def note(self, tenant: str, environment: str, route: str, status: int, seconds: float) -> None:
        """One call answered now."""
        self._answered.note((time(), tenant, environment, route, status, seconds))

    def _count(self, answered: Sequence[tuple[float, str, str, str, int, float]]) -> None:
        with self._lock:
            for at, tenant, environment, route, status, seconds in answered:
                key = (int(at // _DAY_S), tenant, environment)
                routes = self._counted.setdefault(key, {})
                calls = routes.get(route)
                if calls is None:
                    calls = routes[route] = RouteCalls({}, [0] * (len(EDGES_S) + 1))
                name = str(status)
                calls.statuses[name] = calls.statuses.get(name, 0) + 1
                calls.seconds[bucket(seconds)] += 1
                self._changed.add(key)

    def changed(self) -> dict[CallKey, bytes]:
        """All of each day of which something is new since the last time."""
        self._answered.settle()
        with self._lock:
            changed, self._changed = self._changed, set()
            return {_key(key): msgspec.json.encode(self._counted[key]) for key in changed}

    def keep(self, keys: Iterable[CallKey]) -> None:
        """Have these stored another time: they could not be."""
        with self._lock:
            self._changed |= {(_number(key.day), key.tenant, key.environment) for key in keys}

    def forget_before(self, day: date) -> None:
        """Let go of earlier days that are stored."""
        with self._lock:
            old = [key for key in self._counted if key[0] < _number(day) and key not in self._changed]
            for key in old:
                del self._counted[key]


def calls_from_bytes(content: bytes) -> DayCalls:
    """A day's calls as they were stored."""
    return msgspec.json.decode(content, type=DayCalls)


def sum_of_calls(found: Iterable[Mapping[str, RouteCalls]]) -> DayCalls:
    """All of them together."""
    sums: DayCalls = {}
    for routes in found:
        for route, calls in routes.items():
            into = sums.get(route)
            if into is None:
                into = sums[route] = RouteCalls({}, [0] * len(calls.seconds))
            for status, number in calls.statuses.items():
                into.statuses[status] = into.statuses.get(status, 0) + number
            into.seconds = [a + b for a, b in zip(into.seconds, calls.seconds, strict=True)]
    return sums


def _key(key: tuple[int, str, str]) -> CallKey:
    number, tenant, environment = key
    return CallKey(datetime.fromtimestamp(number * _DAY_S, UTC).date(), tenant, environment)


def _number(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() // _DAY_S)
