"""Whether a reading is of now: not from the future, and not older than the site allows in this class of visit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cds_service.domain.patient import NotUsed
from cds_service.domain.policy import ReadingPolicy
from cds_service.domain.statements import Refusal


@dataclass(frozen=True, slots=True)
class Window:
    """What the time of a reading is judged against: it may lie between `oldest` and `latest`.

    Quantities that change slowly may be older; `slow` holds how old, by vital sign.
    """

    at: datetime
    policy: ReadingPolicy
    encounter_class: str | None
    oldest: datetime
    latest: datetime
    slow: Mapping[str, datetime]

    def refusal(self, name: str, time: datetime) -> Refusal | None:
        """Why a reading of that time is not one of now; None when it is."""
        if self.slow.get(name, self.oldest) <= time <= self.latest:
            return None
        if time > self.latest:
            return Refusal(NotUsed.FUTURE)
        hours = self.policy.age_limit(name, self.encounter_class).total_seconds() / 3600
        return Refusal(NotUsed.STALE, f"older than {hours:g} h")


def window_at(at: datetime, policy: ReadingPolicy, encounter_class: str | None) -> Window:
    """The window of readings that are of the moment `at` in a visit of this class."""
    return Window(
        at=at,
        policy=policy,
        encounter_class=encounter_class,
        oldest=at - policy.max_age.get(encounter_class or "", policy.default_max_age),
        latest=at + policy.future_tolerance,
        slow={name: at - limit for name, limit in policy.slow_max_age.items()},
    )
