"""What clinicians sent back is stored once and stays withdrawable, whichever `CDS_SECRET_KEY` it came under."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.cdshooks.override_reasons import OWN_REASONS
from cds_service.domain.actor import Actor
from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from cds_service.services.rotate_key import rotate_key
from cds_service.storage.audit_log import verify_chain
from tests.conftest import NOW, Clock, Service, started
from tests.databases import SECRET
from tests.web.calls import Json, post
from tests.web.feedback_calls import a_card, acting, ago, overridden, report, stored
from tests.web.test_diagnoses import about, condition, take

NEW = "4c1f0a9be37d2865c0f1a2b39d8e7f6054e3d2c1b0a998877f6e5d4c3b2a1908"
OPERATOR = Actor(name="command:op", kind="command", role="operator", tenant="", environment="production")
LABEL = {"author": "Practitioner/7", "category": "mild", "comment": "seen again"}
DATED = {**LABEL, "category": "acute", "observed_at": "2026-03-14T08:39:00Z"}

Start = Callable[..., AbstractContextManager[Service]]


@pytest.fixture
def start(tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock) -> Start:
    """The same service started again, with other settings."""

    def again(**more: str) -> AbstractContextManager[Service]:
        return started(tmp_path, empty_database, predictor, tables, **more)

    return again


def send_back(client: FlaskClient, card: str) -> list[Any]:
    """Everything a clinician may say of one card, and what was answered."""
    reports: list[Json] = [
        overridden(card, "acute", minutes=3, overrideReason=_reason("acute", "first")),
        overridden(card, minutes=2, overrideReason={"userComment": "second"}),
        overridden(card, minutes=1),
    ]
    answers = [report(client, *reports)]
    labelled = [post(client, body, f"/predictions/{card}/labels") for body in (LABEL, DATED)]
    take(client, condition(recordedDate=ago(2)))
    return [json.loads(answer.data) for answer in (*answers, *labelled)]


def _reason(code: str, comment: str) -> Json:
    return {"reason": {"code": code, "system": OWN_REASONS}, "userComment": comment}


def counts(service: Service) -> tuple[int, int]:
    [reports], [labels] = (
        stored(service, "SELECT count(*) FROM feedback"),
        stored(service, "SELECT count(*) FROM labels"),
    )
    return reports, labels


def test_a_repeat_is_known_whichever_key_it_first_came_under(start: Start) -> None:
    with start() as service:
        client = acting(service)
        card = a_card(client)
        first = send_back(client, card)
        before = counts(service)
    for keys in ({"CDS_SECRET_KEY_PREVIOUS": SECRET}, {}):
        with start(CDS_SECRET_KEY=NEW, **keys) as service:
            assert send_back(acting(service), card) == first
            assert counts(service) == before
            rotate_key(service.runtime.writer.submit_change, service.runtime.keyring, actor=OPERATOR, at=NOW)
            assert send_back(acting(service), card) == first
            assert counts(service) == before
            assert verify_chain(service.runtime.engine, service.runtime.keyring) is None


def test_what_comes_after_a_rotation_joins_what_came_before(start: Start) -> None:
    with start() as service:
        client = acting(service)
        card = a_card(client)
        report(client, overridden(card, "acute", minutes=3))
        take(client, condition(recordedDate=ago(2)))
    with start(CDS_SECRET_KEY=NEW, CDS_SECRET_KEY_PREVIOUS=SECRET) as service:
        rotate_key(service.runtime.writer.submit_change, service.runtime.keyring, actor=OPERATOR, at=NOW)
    with start(CDS_SECRET_KEY=NEW) as service:
        client = acting(service)
        report(client, overridden(card, minutes=1))
        take(client, condition(verification="entered-in-error", recordedDate=ago(1)))

        assert sorted(about(client, card)) == [("J18.9", "no-label"), ("J18.9", "withdrawn")]
        assert stored(service, "SELECT count(*) FROM labels WHERE source = 'feedback' AND category = 'acute'") == [1]
