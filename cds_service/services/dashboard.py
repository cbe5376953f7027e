"""What the dashboard shows of a range of days: roll-ups added up, and the last minute counted while it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property

import msgspec
from sqlalchemy import Engine

from cds_service.monitoring.calls import DayCalls, calls_from_bytes, sum_of_calls
from cds_service.monitoring.day_counts import Reports, Truth, Visits, total
from cds_service.services.day_counts import VisitsFold
from cds_service.services.references import References
from cds_service.storage.day_calls import read_calls
from cds_service.storage.day_rows import made_between
from cds_service.storage.rollups import Part, Whose, read_counts, read_upto, start_of

# Predictions counted while the page waits; chosen by us: they take a hundredth of a second of the twentieth that a page
# may, and few hospitals make more in the minute after which all are counted.
LIVE_MOST = 200
NOBODY = Whose("", "")

_VISITS = msgspec.json.Decoder(Visits)
_REPORTS = msgspec.json.Decoder(Reports)
_TRUTH = msgspec.json.Decoder(Truth)


@dataclass(slots=True)
class Day:
    """What one day came to."""

    visits: Visits = field(default_factory=Visits)
    reports: Reports = field(default_factory=Reports)
    truth: Truth = field(default_factory=Truth)
    calls: DayCalls = field(default_factory=dict)


@dataclass
class Gathered:
    """All days from the first to the last, both included, and their sums.

    `refused` are calls of nobody known, of all tenants. `is_behind` says that more came today than was counted.
    """

    first: date
    last: date
    days: Mapping[date, Day]
    refused: DayCalls
    is_behind: bool

    @cached_property
    def visits(self) -> Visits:
        """The visits of all days."""
        return total(Visits, (day.visits for day in self.days.values()))

    @cached_property
    def reports(self) -> Reports:
        """The reports on the cards of all days."""
        return total(Reports, (day.reports for day in self.days.values()))

    @cached_property
    def calls(self) -> DayCalls:
        """The calls of all days."""
        return sum_of_calls(day.calls for day in self.days.values())

    def truth(self, until: date) -> Truth:
        """What labels say of the predictions of all days up to this one: those whose time to be labelled is over."""
        return total(Truth, (found.truth for day, found in self.days.items() if day <= until))

    @property
    def labelled(self) -> int:
        """How many predictions are labelled, whether or not their time is over."""
        return sum(found.truth.labelled for found in self.days.values())


def gather(engine: Engine, references: References, whose: Whose, first: date, last: date, *, now: datetime) -> Gathered:
    """What is known of these days; the last at most today."""
    days = {first + timedelta(days=number): Day() for number in range((last - first).days + 1)}
    for at, part, content in read_counts(engine, whose, first, last):
        if part is Part.VISITS:
            days[at].visits = _VISITS.decode(content)
        elif part is Part.REPORTS:
            days[at].reports = _REPORTS.decode(content)
        else:
            days[at].truth = _TRUTH.decode(content)
    for at, routes in _calls(engine, whose, first, last):
        days[at].calls = sum_of_calls([days[at].calls, routes])
    refused = sum_of_calls(routes for _, routes in _calls(engine, NOBODY, first, last))
    is_behind = now.date() in days and _count_live(engine, references, whose, days[now.date()], now)
    return Gathered(first, last, days, refused, is_behind)


def _calls(engine: Engine, whose: Whose, first: date, last: date) -> Iterable[tuple[date, DayCalls]]:
    return ((at, calls_from_bytes(content)) for at, content in read_calls(engine, whose, first, last))


def _count_live(engine: Engine, references: References, whose: Whose, today: Day, now: datetime) -> bool:
    """Add what came since today was counted last; whether there was more than that.

    A visit that went on counts again until the next counting, a minute later.
    """
    since = read_upto(engine, now.date(), Part.VISITS) or start_of(now.date())
    fold = VisitsFold(references)
    number = 0
    for batch in made_between(engine, since, now + timedelta(milliseconds=1), at_most=LIVE_MOST):
        fold.add(made for made in batch if made.whose == whose)
        number += len(batch)
    today.visits = total(Visits, [today.visits, fold.counts])
    return number == LIVE_MOST
