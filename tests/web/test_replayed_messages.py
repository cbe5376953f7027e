"""Messages that could not be scored, or were refused, are kept and taken up again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from cds_service.beside import ITSELF
from cds_service.domain.patient import PatientSnapshot
from cds_service.domain.policy import AssessmentPolicy
from cds_service.domain.prediction import RiskEstimate
from cds_service.errors import Unavailable
from cds_service.hl7.site import SiteMap
from cds_service.services.replay_message import MOST_ATTEMPTS, replay_message
from cds_service.storage.identity import Keyring
from cds_service.storage.stored_messages import read_whole
from tests.conftest import Clock, Service, cds_in, scored_by
from tests.databases import Database
from tests.hl7.builders import OBR, PID, PV1, er7, msh, obx
from tests.web.test_messages import post, rows

GOOD = er7(msh(), PID, PV1, OBR, obx(), obx("59408-5^SpO2^LN", 91, "%"))
REFUSED = er7(msh(msh_12="3.0"), PID, PV1, OBR, obx())


class Away:
    """A model that is not there."""

    version = "away"

    def estimate(self, snapshot: PatientSnapshot, policy: AssessmentPolicy) -> RiskEstimate | str:
        raise Unavailable("no model", where="model")


class Spoiled:
    """A model that fails in a way nobody foresaw."""

    version = "spoiled"

    def estimate(self, snapshot: PatientSnapshot, policy: AssessmentPolicy) -> RiskEstimate | str:
        raise ZeroDivisionError("Jane Doe")


def message_id(service: Service) -> str:
    [(found,)] = rows(service, "SELECT id FROM messages")
    return str(UUID(str(found)))


@pytest.mark.parametrize("model", [Away(), Spoiled()], ids=["away", "spoiled"])
def test_what_cannot_be_scored_is_acknowledged_kept_and_scored_later(
    service: Service, clock: Clock, model: object
) -> None:
    runtime = service.runtime
    good = scored_by(service, model)
    answer = post(service, GOOD).data
    assert b"MSA|AA|M1" in answer
    assert rows(service, "SELECT status FROM messages") == [("pending",)]
    assert rows(service, "SELECT count(*) FROM readings") == [(2,)]

    scored_by(service, good)
    runtime.beside._score_pending()
    runtime.beside._score_pending()

    [(status, made_by)] = rows(
        service,
        "SELECT m.status, p.service FROM messages m JOIN predictions p ON p.id = prediction_id",
    )
    assert (status, made_by) == ("accepted", "hl7")
    assert rows(service, "SELECT count(*) FROM predictions") == [(1,)]
    assert rows(service, "SELECT count(*), count(prediction_id) FROM readings") == [(2, 2)]
    assert post(service, GOOD).data == answer
    assert "Jane" not in service.log.read_text()


def test_what_is_scored_late_is_never_presented_as_current(service: Service, clock: Clock) -> None:
    good = scored_by(service, Away())
    post(service, GOOD)
    clock.moment += timedelta(hours=12)
    scored_by(service, good)

    service.runtime.beside._score_pending()

    [(snapshot,)] = rows(service, "SELECT snapshot FROM predictions")
    assert b'"readings":{}' in snapshot  # type: ignore[operator]
    assert b'"stale"' in snapshot  # type: ignore[operator]


def test_what_was_refused_as_of_the_future_is_not_used_when_that_has_come(service: Service, clock: Clock) -> None:
    good = scored_by(service, Away())
    in_an_hour = f"{clock.moment + timedelta(hours=1):%Y%m%d%H%M%S}+0000"
    answer = post(service, er7(msh(), PID, PV1, OBR, obx(), obx("59408-5^SpO2^LN", 70, "%", obx_14=in_an_hour))).data
    assert b"OBX[2]-14: spo2: future" in answer
    clock.moment += timedelta(minutes=61)
    scored_by(service, good)

    service.runtime.beside._score_pending()

    [(snapshot,)] = rows(service, "SELECT snapshot FROM predictions")
    assert set(json.loads(snapshot)["readings"]) == {"heart_rate"}  # type: ignore[arg-type]


def test_a_message_that_fails_again_and_again_is_left_to_an_operator(service: Service, clock: Clock) -> None:
    scored_by(service, Spoiled())
    post(service, GOOD)

    for _ in range(MOST_ATTEMPTS + 2):
        service.runtime.beside._score_pending()

    assert rows(service, "SELECT status, attempts FROM messages") == [("pending", MOST_ATTEMPTS)]


def test_a_model_that_is_away_is_waited_for(service: Service, clock: Clock) -> None:
    scored_by(service, Away())
    post(service, GOOD)

    for _ in range(MOST_ATTEMPTS + 2):
        service.runtime.beside._score_pending()

    assert rows(service, "SELECT status, attempts FROM messages") == [("pending", 0)]


def test_messages_are_listed_without_what_they_say(service: Service, clock: Clock) -> None:
    post(service, GOOD)
    post(service, REFUSED)

    listed = cds_in(service, "messages", "list").stdout
    refused = cds_in(service, "messages", "list", "--status", "refused", "--json").stdout

    assert listed.count("\n") == 2
    assert "Ejemplo" not in listed
    assert ('"status": "refused"' in refused, refused.count("\n")) == (True, 1)


def test_who_looks_at_a_message_is_in_the_audit_log(service: Service, clock: Clock) -> None:
    post(service, GOOD)

    shown = cds_in(service, "messages", "show", message_id(service)).stdout

    assert "PID|1||P1^^^HOSP^MR||Ejemplo^Rosa" in shown
    assert "MSA|AA|M1" in shown
    assert ("message-read",) in rows(service, "SELECT action FROM audit")


def test_a_refused_message_is_replayed_once_the_site_knows_it(service: Service, clock: Clock) -> None:
    """Here the stored bytes are put right behind the service's back; a site would change its map of codes."""
    post(service, er7(msh(), "PID|1", PV1, OBR, obx()))
    found = message_id(service)
    still = cds_in(service, "messages", "replay", found)
    keyring = Keyring(service.runtime.settings.secret_key)
    sealed = keyring.seal(f"messages:{found}", GOOD).hex()
    Database("sqlite", f"sqlite:///{service.database}", service.database.parent).execute(
        f"UPDATE messages SET sealed = x'{sealed}'"
    )

    done = cds_in(service, "messages", "replay", found)
    again = cds_in(service, "messages", "replay", found)

    assert (still.returncode, "refused" in still.stdout) == (1, True)
    assert (done.returncode, "accepted" in done.stdout) == (0, True)
    assert (again.returncode, "nothing is left to do" in again.stderr) == (1, True)
    assert rows(service, "SELECT status FROM messages") == [("accepted",)]
    assert rows(service, "SELECT count(*) FROM predictions") == [(1,)]


def test_of_a_refused_message_its_structure_is_explained(service: Service, clock: Clock) -> None:
    post(service, er7(msh(), "PID|1", PV1, obx()))

    shown = cds_in(service, "messages", "show", message_id(service)).stdout
    document = json.loads(cds_in(service, "messages", "show", message_id(service), "--json").stdout)

    assert shown.endswith("\n\nPID[1]-3: is required\n")
    assert document["problems"] == [{"where": "PID[1]-3", "text": "is required"}]


def test_who_replayed_a_message_is_in_the_audit_log(service: Service, clock: Clock) -> None:
    good = scored_by(service, Away())
    post(service, GOOD)
    scored_by(service, good)

    done = cds_in(service, "messages", "replay", message_id(service))

    [(by,)] = rows(service, "SELECT actor FROM audit WHERE action = 'message-again'")
    assert (done.returncode, str(by).startswith("command:")) == (0, True)


def test_a_site_that_learned_a_version_and_a_code_takes_what_it_refused(service: Service, clock: Clock) -> None:
    runtime = service.runtime
    post(service, er7(msh(msh_12=""), PID, PV1, OBR, obx("101^HR^99MON")))
    assert rows(service, "SELECT status FROM messages") == [("refused",)]
    known = SiteMap(default_version="2.5.1", codes={"101^99MON": "heart_rate"})
    site = replace(runtime.settings.site, hl7=known)
    runtime.beside.intake = replace(runtime.beside.intake, assessor=replace(runtime.beside.intake.assessor, site=site))

    whole = read_whole(runtime.engine, runtime.keyring, UUID(message_id(service)))
    status = replay_message(whole, runtime.beside.intake, by=ITSELF, at=runtime.now())

    assert status == "accepted"
    assert rows(service, "SELECT name FROM readings") == [("heart_rate",)]
    assert rows(service, "SELECT count(*) FROM predictions") == [(1,)]


def test_a_pending_message_the_rules_of_today_refuse_keeps_no_other_waiting(service: Service, clock: Clock) -> None:
    runtime = service.runtime
    good = scored_by(service, Away())
    post(service, GOOD)
    [(first,)] = rows(service, "SELECT id FROM messages")
    clock.moment += timedelta(seconds=1)
    post(service, er7(msh(msh_10="M2"), PID, PV1, OBR, obx()))
    broken = runtime.keyring.seal(f"messages:{UUID(str(first))}", REFUSED).hex()
    Database("sqlite", f"sqlite:///{service.database}", service.database.parent).execute(
        f"UPDATE messages SET sealed = x'{broken}' WHERE id = '{first}'"
    )
    scored_by(service, good)

    runtime.beside._score_pending()

    assert rows(service, "SELECT status, attempts FROM messages ORDER BY id") == [("pending", 1), ("accepted", 0)]


@pytest.mark.parametrize("command", ["show", "replay"])
@pytest.mark.parametrize("wrong", ["nonsense", "00000000-0000-7000-8000-000000000000"])
def test_an_id_of_no_message_is_said_to_be_none(service: Service, command: str, wrong: str) -> None:
    done = cds_in(service, "messages", command, wrong)

    assert (done.returncode, wrong in done.stderr or "no id" in done.stderr) == (1, True)
