"""The worked example of docs/howto/device-gateways.md: a gateway's message is read by the site file beside it."""

from __future__ import annotations

import re

import pytest

from cds_service.domain.policy import FeedLimits
from cds_service.hl7.reader import read_message, snapshot_from_message
from cds_service.settings.site import Site, site_from_file
from tests.conftest import NOW, REPOSITORY, Clock, Service
from tests.fhir.builders import TABLES
from tests.hl7.builders import values
from tests.web.test_messages import post, rows

EXAMPLE = REPOSITORY / "fixtures" / "messages"
MESSAGE = (EXAMPLE / "gateway.hl7").read_bytes()
PAGE = (REPOSITORY / "docs" / "howto" / "device-gateways.md").read_text(encoding="utf-8")


@pytest.fixture
def site() -> Site:
    return site_from_file(EXAMPLE / "site.toml")


def test_the_page_shows_the_site_file_and_the_message_that_are_tested() -> None:
    blocks = re.findall(r"```(?:toml)?\n(.*?)```", PAGE, re.DOTALL)

    assert (EXAMPLE / "site.toml").read_text(encoding="utf-8") in blocks
    assert MESSAGE.decode().replace("\r", "\n") in blocks


def test_every_value_of_the_example_is_read(site: Site) -> None:
    message = read_message(MESSAGE, site=site.hl7)

    made = snapshot_from_message(message, 0, at=NOW, policy=site.reading, tables=TABLES)

    assert values(made) == {"heart_rate": 104, "respiratory_rate": 24, "spo2": 93, "temperature": 38.4}
    assert {reading.time.isoformat() for reading in made.readings.values()} == {"2026-03-14T08:35:00+00:00"}
    assert not any("preliminary" in reading.flags for reading in made.readings.values())
    assert made.identity.patient_id == "urn:oid:2.16.724.4.9.20|4711"
    assert (message.faults, message.account.unmapped) == ((), 1)


def test_without_the_site_file_only_the_standard_code_is_read_and_as_preliminary() -> None:
    message = read_message(MESSAGE)

    made = snapshot_from_message(message, 0, at=NOW, policy=Site().reading, tables=TABLES)

    assert [observation.name for observation in message.patients[0].observations] == ["heart_rate"]
    assert all("preliminary" in observation.flags for observation in message.patients[0].observations)
    assert made.identity.patient_id == "PID|4711"
    assert message.account.unmapped == 4


def test_the_gateway_is_expected_every_ten_minutes_and_the_laboratory_may_send_what_it_likes(site: Site) -> None:
    assert site.feeds.of("VSP|GATEWAY ICU").silent.total_seconds() == 600
    assert site.feeds.of("LAB|HOSP") == FeedLimits(unmapped_share=1.0)


def test_the_service_takes_the_message(service: Service, clock: Clock) -> None:
    assert b"\rMSA|AA|G-1\r" in post(service, MESSAGE).data
    assert rows(service, "SELECT sender, status FROM messages") == [("VSP|GATEWAY ICU", "accepted")]
