"""Feedback, labels and modes on each kind of database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from cds_service.cdshooks.feedback import Report
from cds_service.cdshooks.override_reasons import OWN_REASONS
from cds_service.domain.actor import Actor
from cds_service.domain.label import Kind
from cds_service.domain.mode import Mode
from cds_service.domain.policy import FeedbackPolicy
from cds_service.errors import BadRequest
from cds_service.services.received import Received
from cds_service.services.record_feedback import record_feedback
from cds_service.services.record_label import LabelRequest, record_label
from cds_service.services.switch_mode import switch_mode
from cds_service.services.watch import Watch
from cds_service.storage.modes import mode_history, read_modes
from cds_service.storage.sessions import reading
from cds_service.storage.writer import GroupWriter
from tests.storage.builders import NOW, an_entry, keyring

ACTOR = Actor(name="ehr-1", kind="client", role="client", tenant="north", environment="production")
RECEIVED = Received(ACTOR, NOW, FeedbackPolicy(), keyring())


def a_card(writer: GroupWriter) -> UUID:
    return writer.submit(an_entry(id=uuid4())).id


def assessed(card: UUID) -> Report:
    return Report(card, "overridden", NOW, (), (OWN_REASONS, "already-assessed"), "")


def test_every_switch_is_kept_and_the_last_holds(engine: Engine, writer: GroupWriter) -> None:
    for mode in (Mode.SILENT, Mode.SUSPENDED, Mode.SUSPENDED):
        switch_mode(mode, "maintenance", ACTOR, at=NOW, writer=writer)
    switch_mode(Mode.LIVE, "start", replace(ACTOR, tenant="south"), at=NOW, writer=writer)

    assert {tenant: switch.mode for tenant, switch in read_modes(engine).items()} == {
        "north": Mode.SUSPENDED,
        "south": Mode.LIVE,
    }
    with reading(engine) as connection:
        assert [switch.mode for switch in mode_history(connection, "north")] == [Mode.SILENT, Mode.SUSPENDED]


@pytest.mark.parametrize("reason", ["", " ", "a\nb", "x" * 201])
def test_a_switch_without_a_reason_is_refused(engine: Engine, writer: GroupWriter, reason: str) -> None:
    with pytest.raises(BadRequest):
        switch_mode(Mode.SILENT, reason, ACTOR, at=NOW, writer=writer)

    assert read_modes(engine) == {}


def test_a_snooze_is_seen_by_another_process_at_its_next_look(engine: Engine, writer: GroupWriter) -> None:
    watch = Watch(engine, timedelta(minutes=60), lambda: NOW)
    watch.refresh()
    card = a_card(writer)
    [report] = record_feedback([assessed(card)], "vitals-risk", RECEIVED, writer=writer)
    key = ("north", "production", "vitals-risk", keyring().patient_key("north", "p-1"))

    assert watch.snooze(lambda: key) is None
    watch.refresh()
    snooze = watch.snooze(lambda: key)
    assert snooze is not None
    assert snooze.end == report.outcome_timestamp + timedelta(minutes=60)


def test_labels_are_counted_by_author_sender_and_minute(writer: GroupWriter) -> None:
    held: list[str | None] = []
    for number in range(12):
        request = LabelRequest(kind=Kind.LABEL, author="Practitioner/1", category="acute", comment=str(number))
        held.append(record_label(a_card(writer), request, RECEIVED, writer=writer)[0].quarantine)

    assert held == [None] * 10 + ["burst"] * 2
