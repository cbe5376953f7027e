"""Modes of tenants and quiet cards, from a switch or a report to the next answer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from bench.client import Connection
from cds_service.cli import main
from cds_service.domain.mode import Mode
from cds_service.errors import Unavailable
from cds_service.monitoring.metrics import REGISTRY
from cds_service.services import watch
from cds_service.services.switch_mode import switch_mode
from tests.conftest import NOW, Clock, Live, Service, environment, live_service, run_cds
from tests.storage.builders import eventually
from tests.web.calls import PATH, Json, card, fixture, is_json_failure, post
from tests.web.feedback_calls import a_card, accepted, acting, overridden, report, stored

ASSESSING: dict[str, Callable[[FlaskClient], Any]] = {
    "hook": lambda client: post(client, fixture()),
    "form": lambda client: client.get("/predict?age=71&sex=male&heart_rate=128"),
    "json": lambda client: post(client, {"age": 71, "heart_rate": 128}, "/predict"),
    "FHIR": lambda client: post(client, fhir_bundle(), "/fhir/$assess"),
    "rare diseases": lambda client: client.get("/rare-diseases?observed=HP:0001250,HP:0001251,HP:0001263"),
    "rare diseases as FHIR": lambda client: post(client, fhir_bundle(), "/fhir/$rare-disease"),
}


def fhir_bundle() -> Json:
    parts = fixture()["prefetch"]
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": parts["patient"]}]}


def switch(service: Service, mode: Mode, *, reason: str = "maintenance", tenant: str = "local") -> None:
    """Switch the mode, and have the process see it as it would within a second."""
    actor = service.runtime.settings.clients.local
    switch_mode(mode, reason, replace(actor, tenant=tenant), at=NOW, writer=service.runtime.writer)
    service.runtime.watch.refresh()


@pytest.mark.parametrize("door", ASSESSING)
def test_a_silent_tenant_is_assessed_and_shown_nothing(service: Service, client: FlaskClient, door: str) -> None:
    assert service.runtime.beside.rare.wait(30)
    switch(service, Mode.SILENT)

    answered = ASSESSING[door](client)

    assert answered.status_code == (200 if door == "hook" else 202)
    assert "NEWS2" not in answered.text
    assert "news2" not in answered.text
    assert door != "hook" or json.loads(answered.data) == {"cards": []}
    assert stored(service, "SELECT shown FROM predictions") == [0]


@pytest.mark.parametrize("door", ASSESSING)
def test_a_suspended_tenant_is_not_assessed_and_told_so(service: Service, client: FlaskClient, door: str) -> None:
    assert service.runtime.beside.rare.wait(30)
    switch(service, Mode.SUSPENDED, reason="lab change")

    answered = ASSESSING[door](client)

    assert (answered.status_code, answered.headers["Retry-After"]) == (503, "60")
    assert "suspended since 2026-03-14 08:40 UTC: lab change" in answered.text
    assert is_json_failure(answered)
    assert stored(service, "SELECT count(*) FROM predictions") == [0]


def test_a_switch_back_shows_cards_again_and_keeps_the_history(service: Service, client: FlaskClient) -> None:
    for mode in (Mode.SUSPENDED, Mode.SILENT, Mode.LIVE, Mode.LIVE):
        switch(service, mode)

    assert card(client, fixture())["indicator"] == "critical"
    assert stored(service, "SELECT mode FROM modes ORDER BY seq") == ["suspended", "silent", "live"]
    assert stored(service, "SELECT count(*) FROM audit WHERE action = 'mode'") == [3]


def test_a_mode_is_its_tenants_own(service: Service, client: FlaskClient) -> None:
    switch(service, Mode.SUSPENDED, tenant="elsewhere")

    assert a_card(client)


def test_feedback_is_taken_in_every_mode(service: Service, client: FlaskClient) -> None:
    shown = a_card(client)
    for mode in (Mode.SILENT, Mode.SUSPENDED):
        switch(service, mode)
        assert report(client, overridden(shown)).status_code == 200


def test_modes_that_could_not_be_read_are_not_believed(
    service: Service, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise Unavailable("away", where="database")

    monkeypatch.setattr(watch, "read_modes", away)
    monkeypatch.setattr(watch, "STALE_S", 0.0)

    assert post(client, fixture()).status_code == 503
    assert json.loads(client.get("/readyz").data)["problems"]["modes"] == "could not be read"
    monkeypatch.undo()
    service.runtime.watch.refresh()
    assert a_card(client)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watch_that_fails_unforeseen_is_taken_over(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def fail_once(*_: object) -> dict[str, Any]:
        looks.append(len(looks))
        if len(looks) == 1:
            raise ZeroDivisionError
        return {}

    monkeypatch.setattr(watch, "read_modes", fail_once)

    assert eventually(lambda: len(looks) > 1)
    assert "watch_restarted" in service.log.read_text(encoding="utf-8")


# The command


@pytest.fixture
def cds(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """`cds mode …` over the database of the service, and what it prints."""
    for name in [name for name in os.environ if name.startswith("CDS_")]:
        monkeypatch.delenv(name)
    for name, value in environment(service.database.parent).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["mode", *arguments])
        written = capsys.readouterr()
        return code, written.out + written.err

    return run


def test_the_command_switches_lists_and_tells_the_history(service: Service, cds: Any) -> None:
    assert cds() == (0, "never switched: live\n")
    assert cds("local", "silent", "--reason", "pilot")[0] == 0
    code, printed = cds("local", "suspended", "--reason", "lab change", "--json")
    assert (code, json.loads(printed)["mode"]) == (0, "suspended")

    assert [line.split("\t")[1] for line in cds("local")[1].splitlines()] == ["silent", "suspended"]
    [line] = cds()[1].splitlines()
    assert line.split("\t")[:2] == ["local", "suspended"]
    assert line.endswith("lab change")
    [actor] = set(stored(service, "SELECT actor FROM audit WHERE action = 'mode'"))
    assert actor.startswith("command:")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("local", "silent"), 2, "--reason"),
        (("local", "silent", "--reason", " "), 1, "--reason"),
        (("local", "silent", "--reason", "x" * 201), 1, "--reason"),
        (("local", "silent", "--reason", "a\nb"), 1, "--reason"),
        (("nobody", "silent", "--reason", "x"), 1, "known are local"),
    ],
)
def test_the_command_refuses_what_would_not_do(
    service: Service, cds: Any, arguments: tuple[str, ...], code: int, said: str
) -> None:
    found, printed = cds(*arguments)

    assert found == code
    assert said in printed
    assert stored(service, "SELECT count(*) FROM modes") == [0]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_service(tmp_path_factory.mktemp("modes")) as live:
        yield live


@contextmanager
def asking(live: Live) -> Iterator[Callable[[], int]]:
    """A form on a connection of its own."""
    with closing(Connection(live.port)) as connection:
        asked = b"GET /predict?age=71&heart_rate=128 HTTP/1.1\r\nHost: x\r\n\r\n"
        yield lambda: connection.call(asked)[0]


def test_a_switch_is_in_force_in_a_running_worker_within_seconds(running: Live) -> None:
    variables = environment(running.directory)
    with asking(running) as ask:
        for mode, code in (("suspended", 503), ("silent", 202), ("live", 200)):
            assert run_cds("mode", "local", mode, "--reason", "test", variables=variables).returncode == 0
            assert eventually(lambda code=code: ask() == code, within_s=3)


# Already assessed


def assessed(service: Service, client: FlaskClient, **members: Any) -> str:
    """A card overridden as already assessed, seen by the process as it would be within a second."""
    shown = a_card(client)
    assert report(client, overridden(shown, "already-assessed", **members)).status_code == 200
    service.runtime.watch.refresh()
    return shown


def test_an_assessed_patients_card_is_info_and_says_until_when(service: Service, client: FlaskClient) -> None:
    assessed(service, client)

    found = card(client, fixture())

    assert found["indicator"] == "info"
    assert found["summary"].startswith("NEWS2")
    assert found["detail"].startswith(
        "**Already assessed:** shown as information until 09:39, unless it gets worse.\n\n"
    )
    assert "Ya valorado" in card(client, fixture(), Accept_Language="es")["detail"]


@pytest.mark.parametrize(("minutes", "indicator"), [(58, "info"), (59, "critical")])
def test_it_ends_after_the_sites_time(
    service: Service, client: FlaskClient, clock: Clock, minutes: int, indicator: str
) -> None:
    assessed(service, client, minutes=1)
    clock.moment += timedelta(minutes=minutes)
    service.runtime.watch.refresh()

    assert card(client, fixture())["indicator"] == indicator


def test_another_patient_tenant_or_environment_is_not_quiet(service: Service, client: FlaskClient) -> None:
    assessed(service, client)
    other = json.loads(json.dumps(fixture()).replace("1288992", "other"))

    assert card(client, other)["indicator"] == "critical"
    for changes in ({"tenant": "elsewhere", "environment": "test"}, {"environment": "production"}):
        assert card(acting(service, **changes), fixture())["indicator"] == "critical"


def test_a_later_report_that_says_otherwise_ends_it(service: Service, client: FlaskClient) -> None:
    shown = assessed(service, client, minutes=2)
    report(client, accepted(shown, minutes=1))
    service.runtime.watch.refresh()

    assert card(client, fixture())["indicator"] == "critical"


def test_a_state_by_the_clinician_says_assessed_too_and_a_reason_of_hl7_does_not(
    service: Service, client: FlaskClient
) -> None:
    hl7 = {"code": "need-more-info", "system": "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"}
    report(client, overridden(a_card(client), overrideReason={"reason": hl7}))
    service.runtime.watch.refresh()
    assert card(client, fixture())["indicator"] == "critical"

    report(client, overridden(a_card(client), "acute"))
    service.runtime.watch.refresh()
    assert card(client, fixture())["indicator"] == "info"


def test_cards_shown_are_counted_so_that_overrides_have_their_share(service: Service, client: FlaskClient) -> None:
    def count() -> float:
        values = {"environment": "test", "service": "vitals-risk", "indicator": "critical"}
        return REGISTRY.get_sample_value("cds_cards_total", values) or 0.0

    before, body = count(), fixture()
    for _ in range(2):
        post(client, body, PATH)
    switch(service, Mode.SILENT)
    post(client, fixture(), PATH)

    assert count() - before == 1
