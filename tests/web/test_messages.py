"""HL7 v2 over HTTP: the same use case as MLLP, the acknowledgment as the answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from cds_service.domain.codes import CodeTables
from cds_service.domain.mode import Mode
from cds_service.inference.predictor import Predictor
from cds_service.services import watch
from tests.conftest import REPOSITORY, Clock, Service, started
from tests.hl7.builders import OBR, PID, PV1, er7, msh, obx
from tests.web.test_modes import switch

PLAIN = er7(msh(), PID, PV1, OBR, obx())
TWINS = sorted((REPOSITORY / "fixtures" / "twins").iterdir())


def post(service: Service, message: bytes, media: str = "application/hl7-v2") -> TestResponse:
    return service.client.post("/hl7/v2", data=message, content_type=media)


def rows(service: Service, query: str) -> list[tuple[object, ...]]:
    return service.stored.rows(query)


@pytest.mark.parametrize("media", ["application/hl7-v2", "x-application/hl7-v2+er7", "text/plain; charset=utf-8"])
def test_a_message_is_acknowledged_once_it_is_stored(service: Service, clock: Clock, media: str) -> None:
    answer = post(service, PLAIN, media)

    assert (answer.status_code, answer.mimetype) == (200, "application/hl7-v2")
    assert b"\rMSA|AA|M1\r" in answer.data
    assert rows(service, "SELECT status FROM messages") == [("accepted",)]
    assert rows(service, "SELECT service, hook FROM predictions") == [("hl7", "ORU^R01")]


def test_a_message_is_the_same_whichever_way_it_comes(service: Service, clock: Clock) -> None:
    assert post(service, PLAIN).data == post(service, PLAIN, "text/plain").data
    assert rows(service, "SELECT count(*) FROM messages") == [(1,)]


def test_what_is_no_message_is_rejected_and_kept(service: Service, clock: Clock) -> None:
    answer = post(service, b"hello")

    assert (answer.status_code, b"\rMSA|AR\r" in answer.data) == (200, True)
    assert rows(service, "SELECT status, sender, control_id FROM messages") == [("refused", "", "")]


def test_another_media_type_is_415(service: Service, clock: Clock) -> None:
    assert post(service, PLAIN, "application/json").status_code == 415


def test_a_sender_that_wants_no_acknowledgment_gets_none(service: Service, clock: Clock) -> None:
    answer = post(service, er7(msh(msh_15="NE", msh_16="NE"), PID, PV1, OBR, obx()))

    assert (answer.status_code, answer.data) == (200, b"")


@pytest.mark.parametrize("twin", TWINS, ids=lambda path: path.name)
def test_every_twin_is_accepted_with_one_prediction(service: Service, clock: Clock, twin: object) -> None:
    answer = post(service, (twin / "message.hl7").read_bytes())  # type: ignore[operator]

    assert b"MSA|AA|" in answer.data or b"MSA|CA|" in answer.data
    assert rows(service, "SELECT status FROM messages") == [("accepted",)]
    assert rows(service, "SELECT count(*) FROM predictions") == [(1,)]


@pytest.mark.parametrize(
    ("mode", "predictions"),
    [(Mode.LIVE, [(0,)]), (Mode.SILENT, [(0,)]), (Mode.SUSPENDED, [])],
    ids=lambda one: str(one),
)
def test_a_tenants_mode_decides_whether_a_message_is_assessed_and_never_whether_it_is_taken(
    service: Service, clock: Clock, mode: Mode, predictions: list[tuple[int]]
) -> None:
    """No message is shown to anybody by itself, so that none is marked as shown."""
    switch(service, mode)

    answer = post(service, PLAIN)

    assert b"\rMSA|AA|M1\r" in answer.data
    assert rows(service, "SELECT shown FROM predictions") == predictions
    assert rows(service, "SELECT count(*) FROM readings") == [(1,)]
    [(status, reason)] = rows(service, "SELECT status, reason FROM messages")
    assert (status, "suspended" in str(reason)) == ("accepted", mode is Mode.SUSPENDED)


def test_a_message_is_pending_while_nobody_knows_the_tenants_mode(
    service: Service, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "STALE_S", 0.0)

    assert b"\rMSA|AA|M1\r" in post(service, PLAIN).data
    assert rows(service, "SELECT status FROM messages") == [("pending",)]


@pytest.fixture
def strict(
    tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> Iterator[Service]:
    """A service that checks the structure of every message with hl7apy as well."""
    with started(tmp_path, empty_database, predictor, tables, CDS_HL7_VALIDATION="strict") as service:
        yield service


def test_strict_mode_refuses_what_hl7apy_objects_to_and_says_where(strict: Service) -> None:
    without_obr = er7(msh(), PID, PV1, obx())

    answer = post(strict, without_obr)

    assert b"\rMSA|AE|M1\r" in answer.data
    assert b"\rERR|" in answer.data
    [(status, reason)] = rows(strict, "SELECT status, reason FROM messages")
    assert status == "refused"
    assert "ORU_R01_ORDER_OBSERVATION.OBR" in str(answer.data) + str(reason)
    assert rows(strict, "SELECT count(*) FROM predictions") == [(0,)]


def test_strict_mode_takes_a_message_whose_structure_is_sound(strict: Service) -> None:
    assert b"\rMSA|AA|M1\r" in post(strict, PLAIN).data


def test_fast_mode_takes_what_strict_mode_refuses(service: Service) -> None:
    assert b"\rMSA|AA|M1" in post(service, er7(msh(), PID, PV1, obx())).data
