"""Rows of a dataset know which records are one patient's and what was diagnosed after a prediction."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, insert

from cds_service.domain.codes import ICD10CM
from cds_service.domain.dataset import MANIFEST_FILE, ROWS_FILE
from cds_service.domain.patient import Condition
from cds_service.domain.policy import FeedbackPolicy
from cds_service.fhir.conditions import StatedDiagnosis
from cds_service.inference.predictor import Predictor
from cds_service.services.dataset_rows import Chosen
from cds_service.services.export_labels import export_labels
from cds_service.services.forget import forget_one_patient
from cds_service.services.label_conditions import label_conditions
from cds_service.services.received import Received
from cds_service.settings.dataset import dataset_rules
from cds_service.storage.parquet import read_rows
from cds_service.storage.patient_facts import one_key_each
from cds_service.storage.sessions import for_writing
from cds_service.storage.tables import patient_events
from cds_service.storage.writer import GroupWriter
from tests.factories import AT
from tests.storage.builders import keyring
from tests.storage.learning import EHR, a_label_of, a_prediction

SOON, BETWEEN, LATER = (AT + timedelta(days=days) for days in (10, 20, 30))
TOLD = Condition(ICD10CM, "J18.9", "Condition/1")


@pytest.fixture
def export(engine: Engine, tmp_path: Path) -> Callable[[datetime], dict[str, list[Any]]]:
    def run(as_of: datetime) -> dict[str, list[Any]]:
        out = tmp_path / uuid4().hex
        chosen = Chosen("state", "latest", as_of, dataset_rules(None), keyring())
        export_labels(chosen, out, engine=engine, record=lambda _: None)
        counts = json.loads((out / MANIFEST_FILE).read_bytes())["counts"]
        columns = read_rows(out / ROWS_FILE)
        assert counts["patients"] == len(set(columns["patient"]))
        return columns

    return run


def labelled(writer: GroupWriter, predictor: Predictor, patient: str, *, at: datetime = AT, **given: Any) -> UUID:
    card = a_prediction(writer, predictor, patient, at=at, **given)
    a_label_of(writer, card, at=at + timedelta(minutes=1), category="acute")
    return card


def said(engine: Engine, kind: str, one: str, other: str | None, *, at: datetime = AT) -> None:
    """That something became of two records, as a message said it."""
    key = keyring().patient_key
    with for_writing(engine).begin() as connection:
        connection.execute(
            insert(patient_events).values(
                message_id=uuid4(),
                number=0,
                tenant="north",
                environment="production",
                kind=kind,
                received_at=at,
                patient_key=key("north", one),
                other_key=other and key("north", other),
            )
        )


@pytest.mark.parametrize("kind", ["merged", "linked", "moved"])
def test_records_of_one_patient_are_one_patient_of_a_dataset(
    engine: Engine, writer: GroupWriter, predictor: Predictor, export: Callable[..., Any], kind: str
) -> None:
    for number, patient in enumerate(("a", "b", "c", "d")):
        labelled(writer, predictor, patient, heart_rate=60.0 + number)
    said(engine, kind, "b", "a")
    said(engine, kind, "c", "b", at=BETWEEN)
    said(engine, "ended", "d", None)

    names = export(LATER)["patient"]
    before = export(SOON)["patient"]

    assert (len(names), len(set(names)), len(set(before))) == (4, 2, 3)


def test_keys_are_joined_whatever_the_order_of_the_pairs() -> None:
    pairs = [("d", "c"), ("b", "a"), ("f", "e"), ("c", "b")]

    assert one_key_each(pairs) == one_key_each(reversed(pairs)) == {**dict.fromkeys("abcd", "a"), "e": "e", "f": "e"}


def diagnosed(
    writer: GroupWriter, patient: str, prediction: UUID, code: str, *, day: date, at: datetime = BETWEEN
) -> None:
    call = Received(EHR, at, FeedbackPolicy(), keyring())
    stated = StatedDiagnosis(ICD10CM, code, at=at, recorded=day)
    label_conditions([stated], patient, prediction, call, writer=writer)


def test_a_row_has_the_first_diagnosis_after_it_that_it_was_not_told(
    writer: GroupWriter, predictor: Predictor, export: Callable[..., Any]
) -> None:
    bare = labelled(writer, predictor, "p", heart_rate=61.0)
    told = labelled(writer, predictor, "p", heart_rate=62.0, at=AT + timedelta(hours=1), conditions=(TOLD,))
    last = labelled(writer, predictor, "p", heart_rate=63.0, at=AT + timedelta(days=2))
    diagnosed(writer, "p", last, "J18.9", day=AT.date())
    diagnosed(writer, "p", last, "I50.9", day=AT.date() + timedelta(days=1))

    columns = export(LATER)

    codes = dict(zip(columns["row"], columns["code"], strict=True))
    assert [codes[keyring().pseudonym("row", card.hex)] for card in (bare, told, last)] == ["J18.9", "I50.9", None]
    assert export(SOON)["code"] == [None] * 3


def test_an_erased_patient_is_in_no_later_dataset_under_any_record(
    engine: Engine, writer: GroupWriter, predictor: Predictor, export: Callable[..., Any]
) -> None:
    forget_one_patient(writer.submit_change, keyring(), "a", actor=EHR, at=AT, reference="request 7")
    for number, patient in enumerate(("a", "b", "c")):
        labelled(writer, predictor, patient, heart_rate=60.0 + number)
    said(engine, "merged", "b", "a", at=BETWEEN)

    assert (len(export(SOON)["row"]), len(export(LATER)["row"])) == (2, 1)
