"""Alarms about senders: silent, a clock that is off, codes nobody knows; by a clock that is set by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cds_service.domain.policy import FeedLimits, FeedPolicy
from cds_service.monitoring import feeds
from cds_service.monitoring.feeds import Alarm, FeedKey, Feeds, Heard, Standing
from cds_service.monitoring.metrics import REGISTRY

START = datetime(2026, 3, 14, 8, 0, tzinfo=UTC)
MONITOR = FeedKey("ward", "MONITOR|ED")
NAMED = FeedPolicy(senders={"MONITOR|ED": FeedLimits()})
MINUTE = timedelta(minutes=1)


def listening(policy: FeedPolicy | None = None, elsewhere: datetime | None = None) -> Feeds:
    return Feeds(policy or FeedPolicy(), START, lambda *_: elsewhere)


def alarms(standing: list[Standing]) -> list[Alarm]:
    return [one.alarm for one in standing]


def hear(heard: Feeds, *each: Heard, key: FeedKey = MONITOR) -> datetime:
    for number, one in enumerate(each):
        heard.note(key, one, START + number * MINUTE)
    return START + len(each) * MINUTE


def gauge(alarm: str) -> float | None:
    return REGISTRY.get_sample_value("cds_hl7_alarms", {"alarm": alarm})


def test_a_sender_is_silent_after_its_time_until_it_is_heard_again() -> None:
    heard = listening()
    heard.note(MONITOR, Heard(), START)

    at_limit = heard.look(START + timedelta(minutes=60))
    over = heard.look(START + timedelta(minutes=61))
    counted = gauge("silent")
    still = heard.look(START + timedelta(minutes=90))
    heard.note(MONITOR, Heard(), START + timedelta(minutes=91))
    after = heard.look(START + timedelta(minutes=92))

    assert (at_limit, after) == ([], [])
    assert over == still == [Standing(Alarm.SILENT, MONITOR)]
    assert (counted, gauge("silent")) == (1, 0)


def test_a_sender_the_site_names_is_expected_from_the_start() -> None:
    heard = listening(NAMED)

    silent = heard.look(START + timedelta(minutes=61))
    heard.note(MONITOR, Heard(), START + timedelta(minutes=62))

    assert silent == [Standing(Alarm.SILENT, FeedKey("", "MONITOR|ED"))]
    assert heard.look(START + timedelta(minutes=63)) == []


def test_a_sender_another_process_heard_is_not_silent() -> None:
    heard = listening(elsewhere=START + timedelta(minutes=30))
    heard.note(MONITOR, Heard(), START)

    assert heard.look(START + timedelta(minutes=61)) == []
    assert alarms(heard.look(START + timedelta(minutes=91))) == [Alarm.SILENT]


@pytest.mark.parametrize(("policy", "ends"), [(FeedPolicy(), True), (NAMED, False)], ids=["unnamed", "named"])
def test_only_a_sender_the_site_does_not_name_is_forgotten_after_a_day(policy: FeedPolicy, ends: bool) -> None:
    heard = listening(policy)
    heard.note(MONITOR, Heard(), START)
    heard.look(START + timedelta(hours=2))

    later = heard.look(START + timedelta(hours=25))

    assert alarms(later) == ([] if ends else [Alarm.SILENT])


@pytest.mark.parametrize(
    ("delays_min", "is_alarm"),
    [
        pytest.param([6] * 5, True, id="behind"),
        pytest.param([-6] * 5, True, id="ahead"),
        pytest.param([5] * 5, False, id="at-the-limit"),
        pytest.param([6] * 4, False, id="too-few"),
        pytest.param([60, 60, 60, 60, 0], False, id="a-queue-that-was-emptied"),
        pytest.param([0, *[6] * 20], True, id="only-the-last-20-count"),
        pytest.param([9, -9, 9, -9, 9], False, id="no-one-direction"),
    ],
)
def test_a_clock_is_off_when_every_message_is_late_or_every_one_early(delays_min: list[int], is_alarm: bool) -> None:
    heard = listening()
    at = hear(heard, *(Heard(delay=timedelta(minutes=one)) for one in delays_min))

    assert alarms(heard.look(at)) == ([Alarm.CLOCK_SKEW] if is_alarm else [])


@pytest.mark.parametrize(
    ("counts", "is_alarm"),
    [
        pytest.param([(8, 5)] * 5, True, id="over-half"),
        pytest.param([(8, 4)] * 5, False, id="half"),
        pytest.param([(8, 8)] * 4, False, id="too-few"),
        pytest.param([(0, 0)] * 9 + [(8, 8)] * 4, False, id="heartbeats-do-not-count"),
        pytest.param([(100, 0)] + [(8, 8)] * 20, True, id="only-the-last-20-count"),
    ],
)
def test_codes_nobody_knows_are_an_alarm_by_their_share(counts: list[tuple[int, int]], is_alarm: bool) -> None:
    heard = listening()
    at = hear(heard, *(Heard(None, total, unmapped) for total, unmapped in counts))

    assert alarms(heard.look(at)) == ([Alarm.UNMAPPED] if is_alarm else [])


def test_a_sender_has_the_limits_the_site_gives_it() -> None:
    never = FeedLimits(silent=timedelta(), unmapped_share=1.0)
    heard = listening(FeedPolicy(senders={"MONITOR|ED": never}))
    hear(heard, *[Heard(None, 8, 8)] * 5)

    assert heard.look(START + timedelta(days=40)) == []


def test_however_many_names_are_sent_the_memory_is_bounded_and_named_senders_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeds, "MOST_FEEDS", 10)
    heard = listening(NAMED)
    heard.note(MONITOR, Heard(), START)

    for number in range(100):
        heard.note(FeedKey("ward", f"X{number}|"), Heard(), START)

    silent = heard.look(START + timedelta(hours=2))
    assert len(silent) == 10
    assert "MONITOR|ED" in {one.key.sender for one in silent}
