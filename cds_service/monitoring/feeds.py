"""Senders of HL7 v2 messages as this process hears them, and alarms about them: silence, their clocks, their codes."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from threading import Lock
from typing import NamedTuple

from cds_service.domain.policy import FeedPolicy
from cds_service.monitoring.messages import ALARMS

# Chosen by us: one odd message is no alarm, and a fault is seen within minutes of a monitor that sends every minute.
LOOKED_AT, FEWEST = 20, 5
# Chosen by us: senders the site file does not name are forgotten, so that what was tried once is no alarm for ever.
FORGOTTEN_AFTER = timedelta(days=1)
MOST_FEEDS = 1000


class Alarm(StrEnum):
    """What is wrong with a sender."""

    SILENT = "silent"
    CLOCK_SKEW = "clock-skew"
    UNMAPPED = "unmapped"


class FeedKey(NamedTuple):
    """A sender: who it was authenticated as (empty before it was heard), and MSH-3 and MSH-4."""

    peer: str
    sender: str


class Standing(NamedTuple):
    """An alarm there is about a sender."""

    alarm: Alarm
    key: FeedKey


class Heard(NamedTuple):
    """What one message says of its sender: how late it came by MSH-7, and how many of its OBX mean nothing here."""

    delay: timedelta | None = None
    observations: int = 0
    unmapped: int = 0


@dataclass(slots=True)
class _Feed:
    heard_at: datetime
    delays: deque[timedelta] = field(default_factory=lambda: deque(maxlen=LOOKED_AT))
    counts: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=LOOKED_AT))
    alarms: frozenset[Alarm] = frozenset()


class Feeds:
    """The senders heard of late. Any thread notes; one looks.

    `heard_elsewhere` says when a sender that is silent here was last heard by another process, None where it was not.
    """

    def __init__(
        self, policy: FeedPolicy, since: datetime, heard_elsewhere: Callable[[FeedKey, datetime], datetime | None]
    ) -> None:
        self._policy = policy
        self._heard_elsewhere = heard_elsewhere
        self._lock = Lock()
        self._feeds = {FeedKey("", sender): _Feed(since) for sender in policy.senders}

    def note(self, key: FeedKey, heard: Heard, at: datetime) -> None:
        """A message came."""
        with self._lock:
            awaited = self._feeds.pop(FeedKey("", key.sender), None)
            feed = self._feeds.pop(key, None) or awaited or _Feed(at)
            self._feeds[key] = feed  # the last in order: the first is the one not heard for longest
            feed.heard_at = max(feed.heard_at, at)
            if heard.delay is not None:
                feed.delays.append(heard.delay)
            if heard.observations:
                feed.counts.append((heard.observations, heard.unmapped))
            if len(self._feeds) > MOST_FEEDS:
                self._drop_one()

    def look(self, at: datetime) -> list[Standing]:
        """Look at every sender: the alarms there are now. The gauge says how many senders have each."""
        with self._lock:
            feeds = dict(self._feeds)
        for key, feed in feeds.items():
            alarms = self._alarms(key, feed, at)
            if alarms is None:
                with self._lock:
                    self._feeds.pop(key, None)
            feed.alarms = alarms or frozenset()
        standing = self.standing()
        count = Counter(one.alarm for one in standing)
        for alarm in Alarm:
            ALARMS.labels(alarm.value).set(count[alarm])
        return standing

    def standing(self) -> list[Standing]:
        """The alarms there were at the last look."""
        with self._lock:
            return [Standing(alarm, key) for key, feed in self._feeds.items() for alarm in sorted(feed.alarms)]

    def is_named(self, key: FeedKey) -> bool:
        """Whether the site file names the sender; any other name is data from outside."""
        return key.sender in self._policy.senders

    def _alarms(self, key: FeedKey, feed: _Feed, at: datetime) -> frozenset[Alarm] | None:
        """What is wrong with a sender now; None once it is forgotten."""
        limits = self._policy.of(key.sender)
        if limits.silent and at - feed.heard_at > limits.silent:
            elsewhere = self._heard_elsewhere(key, at - limits.silent)
            feed.heard_at = max(feed.heard_at, elsewhere or feed.heard_at)
        if not self.is_named(key) and at - feed.heard_at > FORGOTTEN_AFTER:
            return None
        found = {
            Alarm.SILENT: bool(limits.silent) and at - feed.heard_at > limits.silent,
            Alarm.CLOCK_SKEW: _is_skewed([*feed.delays], limits.clock_skew),
            Alarm.UNMAPPED: _unmapped_share([*feed.counts]) > limits.unmapped_share,
        }
        return frozenset(alarm for alarm, is_on in found.items() if is_on)

    def _drop_one(self) -> None:
        for key in self._feeds:
            if not self.is_named(key):
                del self._feeds[key]
                return


def _is_skewed(delays: list[timedelta], limit: timedelta) -> bool:
    """Whether every message came later, or every one earlier, than its own time by more than the limit.

    One that waited in a queue is late by itself; when none is in time, it is the clock or all of them wait.
    """
    return len(delays) >= FEWEST and (min(delays) > limit or max(delays) < -limit)


def _unmapped_share(counts: list[tuple[int, int]]) -> float:
    if len(counts) < FEWEST:
        return 0.0
    return sum(unmapped for _, unmapped in counts) / sum(observations for observations, _ in counts)
