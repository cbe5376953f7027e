"""THREATS 82 for feedback and labels: SIGKILL at seeded moments loses nothing acknowledged and doubles nothing."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from time import monotonic, sleep
from uuid import UUID

import pytest

from tests.chaos.asking import is_in_time
from tests.chaos.forks import Forks, forks_of
from tests.databases import Database

KILLS = 50

# What each acknowledged piece of work leaves, once: reports on its card, and events of the ledger by category.
LEFT: dict[str, tuple[int, Counter[str]]] = {
    "feedback": (2, Counter(acute=1)),
    "labels": (0, Counter(mild=1, acute=1)),
}


def acknowledged_until_killed(forks: Forks, url: str, mode: str, run: int, after_s: float) -> tuple[set[UUID], float]:
    """Cards acknowledged by a process that was killed this long after its first acknowledgment, and when that came."""
    begun = monotonic()
    process = forks.start(url, mode, str(run))
    first = forks.line()
    seconds = monotonic() - begun
    sleep(after_s)
    os.kill(process, signal.SIGKILL)
    return {UUID(line.split()[1]) for line in (first, *forks.rest())}, seconds


@pytest.mark.slow
@pytest.mark.parametrize("mode", LEFT)
def test_82_no_feedback_or_label_acknowledged_is_lost_or_doubled_by_kills(database: Database, mode: str) -> None:
    chance = random.Random(f"20260314 {mode}")
    acknowledged: set[UUID] = set()
    times: list[float] = []
    with forks_of("tests.chaos.label_process") as forks:
        for run in range(KILLS):
            cards, seconds = acknowledged_until_killed(forks, database.url, mode, run, chance.uniform(0.0, 0.08))
            acknowledged |= cards
            times.append(seconds)

    reports = Counter(UUID(str(card)) for (card,) in database.rows("SELECT card FROM feedback"))
    events: dict[UUID, Counter[str]] = {}
    for prediction, category in database.rows("SELECT prediction_id, category FROM labels"):
        events.setdefault(UUID(str(prediction)), Counter())[category] += 1
    audited = dict(database.rows("SELECT object_type, count(*) FROM audit GROUP BY object_type"))
    expected, labels = LEFT[mode]

    assert len(acknowledged) > KILLS
    assert is_in_time(max(times)), sorted(times)
    assert {reports[card] for card in acknowledged} == {expected}
    assert {card: events.get(card) for card in acknowledged} == dict.fromkeys(acknowledged, labels)
    assert set(reports.values()) <= {expected}
    assert all(found <= labels for found in events.values())
    assert (audited.get("feedback", 0), audited["label"]) == (reports.total(), sum(map(Counter.total, events.values())))
    assert (database.damage(), database.first_broken()) == ([], None)
