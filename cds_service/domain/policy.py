"""The numbers a site may set: how old a reading may be, and where the bands of risk lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import NamedTuple

_HOUR = timedelta(hours=1)

# Chosen by us, to be approved by a site: an emergency visit's observations are hourly or closer when they matter
# (RCP 2017, NEWS2 monitoring frequencies), a ward's at most 12-hourly.
_VITALS_AGE = MappingProxyType({"EMER": 4 * _HOUR})


@dataclass(frozen=True, slots=True)
class ReadingPolicy:
    """How old a reading may be before it is stale, by encounter class and by vital sign.

    `max_age` by encounter class; `default_max_age` for any other class. `slow_max_age` overrides both
    for quantities that change slowly. `future_tolerance` allows for clocks that disagree.
    """

    max_age: Mapping[str, timedelta] = field(default_factory=lambda: _VITALS_AGE)
    default_max_age: timedelta = 12 * _HOUR
    slow_max_age: Mapping[str, timedelta] = field(
        default_factory=lambda: MappingProxyType(
            {
                "weight": 30 * 24 * _HOUR,
                "height": 2 * 365 * 24 * _HOUR,
                "blood_group": 100 * 365 * 24 * _HOUR,
                "exercise_days": 365 * 24 * _HOUR,
            }
        )
    )
    future_tolerance: timedelta = timedelta(minutes=5)

    def age_limit(self, name: str, encounter_class: str | None) -> timedelta:
        """Oldest age at which a reading of this vital sign still counts in this class of visit."""
        slow = self.slow_max_age.get(name)
        return slow or self.max_age.get(encounter_class or "", self.default_max_age)


@dataclass(frozen=True, slots=True)
class AssessmentPolicy:
    """Where the bands of risk lie and how tight a NEWS2 set must be.

    A probability at or over `high` is band `high`, at or over `moderate` band `moderate`, else `low`. `flags_per_100`
    is how many of 100 visits may be of band `high`: the workload that was approved with the bands.
    The defaults are chosen by us for their workload (docs/decisions/risk-bands.md), to be approved by a site.
    """

    moderate: float = 0.03
    high: float = 0.10
    flags_per_100: float = 5.0
    news2_spread: timedelta = timedelta(minutes=60)


@dataclass(frozen=True, slots=True)
class FeedbackPolicy:
    """How long "already assessed" keeps a card quiet, and how many labels are believed at once.

    Chosen by us, to be approved by a site. An hour is the longest the published response to NEWS2 5 or 6 leaves
    between two sets of vital signs (RCP 2017, chart 4). A day of 100 labels is more patients than one clinician sees;
    10 in a minute are more than anyone can judge; 2,000 a day are a large hospital's emergency visits.
    """

    snooze: timedelta = timedelta(minutes=60)
    author_labels_a_day: int = 100
    sender_labels_a_day: int = 2000
    burst_labels: int = 10


class FeedLimits(NamedTuple):
    """From where on a sender of HL7 v2 messages raises an alarm; a `silent` of zero and a share of 1 never do.

    Chosen by us, to be approved by a site. Monitors send every minute or so and gateways send heartbeats: an hour
    without any is a fault, and a quiet night is none. From five minutes a clock that is ahead loses its readings
    (`ReadingPolicy.future_tolerance`). When half of what a monitor sends means nothing here, codes have changed.
    """

    silent: timedelta = timedelta(minutes=60)
    clock_skew: timedelta = timedelta(minutes=5)
    unmapped_share: float = 0.5


@dataclass(frozen=True, slots=True)
class FeedPolicy:
    """The limits of every sender; those in `senders` (`MONITOR|ED`) have their own, and are expected from the start."""

    limits: FeedLimits = field(default_factory=FeedLimits)
    senders: Mapping[str, FeedLimits] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, sender: str) -> FeedLimits:
        """The limits of this sender."""
        return self.senders.get(sender, self.limits)
