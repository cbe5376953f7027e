"""Counting days: what is new of today is added, and what changed of a day that was counted has it counted again.

One process does it at a time, by a lease; another takes over when the lease has run out. Patients of today's visits are
remembered in memory only, so a process that takes over counts today from its start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from time import sleep
from typing import Any, TypeAlias
from uuid import uuid4

import msgspec
from sqlalchemy import Engine

from cds_service.services.day_counts import VisitsFold, count_reports, count_truth
from cds_service.services.references import References
from cds_service.storage.change import Change
from cds_service.storage.day_rows import count_made, first_day, labelled_between, made_between, reports_between
from cds_service.storage.leases import take_leases
from cds_service.storage.rollups import (
    DayState,
    Part,
    Whose,
    end_of,
    read_states,
    save_counts,
    start_of,
)

Submit: TypeAlias = Callable[[Change[Any]], Any]
Contents: TypeAlias = Mapping[Whose, bytes]

LEASE_NAME = "roll-up"
# Chosen by us: a day is counted in about a second, and the lease is renewed for each.
LEASE = timedelta(minutes=3)
# A row is stored within the writer's two seconds of its id; one that comes later is found by the number of rows.
SETTLED_AFTER = timedelta(seconds=10)

_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(slots=True)
class _Counting:
    """What was counted of a day so far: its first `rows` rows, those made before `upto`."""

    day: date
    upto: datetime
    rows: int = 0
    folds: dict[Whose, VisitsFold] = field(default_factory=dict)


@dataclass(slots=True)
class Roller:
    """Counts what there is to count, whenever it is asked. `pause_s` is rested after each batch of rows.

    `is_held_up` says that the last time another process was counting.
    """

    engine: Engine
    submit: Submit
    references: References
    pause_s: float = 0.0
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    is_held_up: bool = False
    _holder: str = field(default_factory=lambda: uuid4().hex)
    _under_way: _Counting | None = None
    _checked: date | None = None

    def roll_up(self) -> Counter[str]:
        """Count what is new or changed; how many days of each part were counted, none while another process counts."""
        counted: Counter[str] = Counter()
        today, states = self.now().date(), read_states(self.engine)
        self.is_held_up = False
        for day in self._days(today, states):
            for part in Part:
                state = states.get((day, part), DayState())
                if not self._is_due(day, part, state):
                    continue
                if self._is_another_counting():
                    return counted
                counted[part.value] += self.submit(save_counts(day, part, *self._count(day, part, state)))
        self._checked = today
        return counted

    def _is_another_counting(self) -> bool:
        """Whether another process has the lease; if not, it is ours for some time from now."""
        now = self.now()
        self.is_held_up = not self.submit(take_leases([LEASE_NAME], self._holder, at=now, until=now + LEASE))
        return self.is_held_up

    def _days(self, today: date, states: Mapping[tuple[date, Part], DayState]) -> list[date]:
        """Every day since the oldest prediction, and those before it that changed; the newest first."""
        first = first_day(self.engine)
        days = set() if first is None else {today - timedelta(days=back) for back in range((today - first).days + 1)}
        days |= {day for (day, _), state in states.items() if state.counted < state.wanted}
        return sorted(days, reverse=True)

    def _is_due(self, day: date, part: Part, state: DayState) -> bool:
        """Whether anything of the day is new or changed. Once a day all days are asked for rows that came late."""
        if state.is_kept or state.counted < state.wanted:
            return not state.is_kept
        if part is not Part.VISITS:
            return False
        reach = self._reach(day)
        if reach == end_of(day) and (state.upto is None or state.upto < reach):
            return True
        today = self.now().date()
        is_asked = day == today or self._checked != today
        return is_asked and count_made(self.engine, start_of(day), reach) != state.source_rows

    def _reach(self, day: date) -> datetime:
        """Up to which moment the day's rows can be counted."""
        return max(start_of(day), min(end_of(day), self.now() - SETTLED_AFTER))

    def _count(self, day: date, part: Part, state: DayState) -> tuple[Contents, DayState]:
        start, end = start_of(day), end_of(day)
        if part is Part.VISITS:
            found = self._visits(day, state)
            contents = {whose: _encode(fold.counts) for whose, fold in found.folds.items()}
            return contents, DayState(counted=state.wanted, upto=found.upto, source_rows=found.rows)
        if part is Part.REPORTS:
            reports = count_reports(reports_between(self.engine, start, end))
            contents = {whose: _encode(counts) for whose, counts in reports.items()}
        else:
            truth = count_truth(labelled_between(self.engine, start, end), as_of=self.now())
            contents = {whose: _encode(counts) for whose, counts in truth.items()}
        return contents, DayState(counted=state.wanted)

    def _visits(self, day: date, state: DayState) -> _Counting:
        """The day's visits: those counted already and what came since, or all anew where anything before changed."""
        counting = self._under_way
        if counting is None or not self._goes_on(counting, day, state):
            counting = _Counting(day, start_of(day))
        reach = self._reach(day)
        for batch in made_between(self.engine, counting.upto, reach):
            by_whose: dict[Whose, list[Any]] = {}
            for made in batch:
                by_whose.setdefault(made.whose, []).append(made)
            for whose, some in by_whose.items():
                counting.folds.setdefault(whose, VisitsFold(self.references)).add(some)
            counting.rows += len(batch)
            sleep(self.pause_s)
        counting.upto = reach
        self._under_way = counting if day == self.now().date() else None
        return counting

    def _goes_on(self, counting: _Counting, day: date, state: DayState) -> bool:
        """Whether what was counted of the day is what is stored of it, and still true."""
        stored = (day, state.upto, state.source_rows, state.wanted)
        known = (counting.day, counting.upto, counting.rows, state.counted)
        return stored == known and count_made(self.engine, start_of(day), counting.upto) == counting.rows
