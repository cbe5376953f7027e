"""What an operator learns of senders: logged when an alarm starts and ends, counted, listed; no answer changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from cds_service.monitoring.feeds import Feeds
from cds_service.services.tell_alarms import LEASE, AlarmTeller
from cds_service.storage.stored_messages import count_pending, last_heard, list_senders
from tests.conftest import Clock, Service, cds_in, started
from tests.hl7.builders import OBR, PID, PV1, er7, msh, obx
from tests.web.test_messages import post

UNKNOWN = "1-8^Nothing we know^LN"


@pytest.fixture
def ward(
    tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> Iterator[Service]:
    site = tmp_path / "site.toml"
    site.write_text('[feeds.senders."MONITOR|ED"]\nsilent_min = 10\n', encoding="utf-8")
    with started(tmp_path, empty_database, predictor, tables, CDS_SITE_FILE=str(site)) as service:
        yield service


def send(service: Service, count: int = 1, first: int = 0, *observations: str, **header: str) -> None:
    for number in range(first, first + count):
        message = er7(msh(**{"msh_10": f"F{number}", **header}), PID, PV1, OBR, *(observations or (obx(),)))
        assert post(service, message).status_code == 200


def logged(service: Service) -> list[tuple[str, str, str, str]]:
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    wanted = ("feed_alarm_started", "feed_alarm_ended", "feed_alarms_not_logged")
    names = ("event", "alarm", "peer", "sender")
    return [tuple(str(line.get(name, "")) for name in names) for line in lines if line["event"] in wanted]


def another_process(service: Service, clock: Clock) -> AlarmTeller:
    """What looks for alarms in a process beside the service's own, which hears nothing."""
    runtime = service.runtime
    feeds = Feeds(runtime.settings.site.feeds, clock.moment, runtime.beside.feeds._heard_elsewhere)
    return AlarmTeller(feeds, runtime.writer.submit_change)


def test_of_several_processes_one_tells_of_an_alarm_and_another_once_that_one_ended(
    ward: Service, clock: Clock
) -> None:
    others = [another_process(ward, clock) for _ in range(2)]
    send(ward)
    clock.moment += timedelta(minutes=11)
    for one in (ward.runtime.beside.alarms, *others, ward.runtime.beside.alarms):
        one.look(clock.moment)
    name = ("silent", "MONITOR|ED")
    assert [(alarm, sender) for _, alarm, _, sender in logged(ward)] == [name]

    clock.moment += 2 * LEASE
    for one in others:
        one.look(clock.moment)
    send(ward, first=1)
    for one in others:
        one.look(clock.moment)

    told = [(event, alarm, sender) for event, alarm, _, sender in logged(ward)]
    assert told == [("feed_alarm_started", *name)] * 2 + [("feed_alarm_ended", *name)]


def test_a_silent_feed_is_logged_when_it_falls_silent_and_when_it_is_back(ward: Service, clock: Clock) -> None:
    send(ward)
    clock.moment += timedelta(minutes=11)
    ward.runtime.beside._look_at_feeds()
    ward.runtime.beside._look_at_feeds()
    send(ward, first=1)
    ward.runtime.beside._look_at_feeds()

    name = ("silent", "local", "MONITOR|ED")
    assert logged(ward) == [("feed_alarm_started", *name), ("feed_alarm_ended", *name)]


def test_a_sender_another_process_heard_is_not_silent(ward: Service, clock: Clock) -> None:
    """The database knows what every process was sent; this one heard nothing since it started."""
    began = another_process(ward, clock).feeds
    ward.runtime.beside.alarms.feeds = began
    clock.moment += timedelta(minutes=9)
    send(ward)
    clock.moment += timedelta(minutes=5)
    assert began is not ward.runtime.beside.intake.feeds

    ward.runtime.beside._look_at_feeds()

    assert logged(ward) == []


@pytest.mark.parametrize(
    ("header", "observation", "alarm"),
    [
        pytest.param({"msh_7": "20260314070000+0100"}, obx(), "clock-skew", id="behind"),
        pytest.param({"msh_7": "20260314120000+0100"}, obx(), "clock-skew", id="ahead"),
        pytest.param({"msh_7": "20260314094000+0100"}, obx(UNKNOWN), "unmapped", id="unknown-codes"),
    ],
)
def test_a_clock_that_is_off_and_codes_nobody_knows_are_alarms(
    ward: Service, clock: Clock, header: dict[str, str], observation: str, alarm: str
) -> None:
    send(ward, 5, 0, observation, **header)

    ward.runtime.beside._look_at_feeds()

    assert logged(ward) == [("feed_alarm_started", alarm, "local", "MONITOR|ED")]
    assert f'cds_hl7_alarms{{alarm="{alarm}"}} 1.0' in ward.client.get("/metrics").text
    assert ward.client.get("/readyz").status_code == 200


@pytest.mark.parametrize("message", ["refused", "heartbeat", "test-data"])
def test_whatever_a_sender_sends_shows_that_it_is_alive(ward: Service, clock: Clock, message: str) -> None:
    clock.moment += timedelta(minutes=9)
    sent = {
        "refused": er7(msh(msh_12="3.0"), PID),
        "heartbeat": er7(msh()),
        "test-data": er7(msh(msh_11="T"), PID, PV1, OBR, obx()),
    }
    post(ward, sent[message])
    clock.moment += timedelta(minutes=9)

    ward.runtime.beside._look_at_feeds()

    assert logged(ward) == []


def test_a_name_from_outside_is_not_in_the_log(service: Service, clock: Clock) -> None:
    send(service, msh_3="Ejemplo^Rosa")
    clock.moment += timedelta(minutes=61)

    service.runtime.beside._look_at_feeds()

    assert logged(service) == [("feed_alarm_started", "silent", "local", "(other)")]
    assert "Ejemplo" not in service.log.read_text()


def test_when_all_fall_silent_the_log_is_not_flooded(service: Service, clock: Clock) -> None:
    for number in range(25):
        send(service, msh_3=f"M{number}")
    clock.moment += timedelta(minutes=61)

    service.runtime.beside._look_at_feeds()

    assert len(logged(service)) == 21
    assert logged(service)[-1][0] == "feed_alarms_not_logged"


def test_senders_are_listed_with_what_came_of_them(ward: Service, clock: Clock) -> None:
    send(ward, 2)
    send(ward, 1, 2, msh_12="3.0", msh_3="OTHER")

    listed = cds_in(ward, "messages", "senders", "--days", "36500", "--json").stdout.splitlines()

    found = {one["sender"]: (one["messages"], one["refused"], one["silent"]) for one in map(json.loads, listed)}
    assert found == {"MONITOR|ED": (2, 0, True), "OTHER|ED": (1, 1, True)}


def test_pending_messages_are_counted(service: Service, clock: Clock) -> None:
    service.runtime.beside._score_pending()

    assert "cds_hl7_pending 0.0" in service.client.get("/metrics").text


def test_what_the_database_knows_of_senders_is_read_on_either(either: Service, clock: Clock) -> None:
    send(either, 2)
    send(either, 1, 2, msh_12="3.0", msh_3="OTHER")
    engine, before = either.runtime.engine, clock.moment - timedelta(hours=1)

    found = {one.sender: (one.messages, one.refused) for one in list_senders(engine, before)}
    heard = [last_heard(engine, key, before) for key in (("local", "MONITOR|ED"), ("", "OTHER|ED"), ("x", "OTHER|ED"))]

    assert found == {"MONITOR|ED": (2, 0), "OTHER|ED": (1, 1)}
    assert heard == [clock.moment, clock.moment, None]
    assert count_pending(engine) == 0
