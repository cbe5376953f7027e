"""Datasets of labelled predictions, on each kind of database."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import Engine

from cds_service.domain.dataset import COLUMNS, MANIFEST_FILE, POLICIES, ROWS_FILE
from cds_service.domain.features import FEATURES, matrix_from_snapshots
from cds_service.domain.label import Kind
from cds_service.domain.policy import FeedbackPolicy
from cds_service.errors import Conflict, DataRequired
from cds_service.inference.predictor import Predictor
from cds_service.services.assess import Withheld
from cds_service.services.dataset_rows import Chosen
from cds_service.services.export_labels import export_labels
from cds_service.services.forget import forget_one_patient
from cds_service.services.received import Received
from cds_service.services.record_label import release_label
from cds_service.services.stored import prediction_from_bytes
from cds_service.settings.dataset import dataset_rules
from cds_service.storage import labelled_log
from cds_service.storage.parquet import read_rows
from cds_service.storage.prediction_log import read_prediction
from cds_service.storage.writer import GroupWriter
from tests.factories import AT
from tests.storage.builders import keyring
from tests.storage.learning import EHR, a_label_of, a_prediction

LATER = AT + timedelta(days=30)
RULES = dataset_rules(None)

Export = Callable[..., tuple[dict[str, list[Any]], dict[str, Any]]]


@pytest.fixture
def export(engine: Engine, tmp_path: Path) -> Export:
    """Columns and manifest of a dataset of states as of 30 days later, unless told otherwise."""
    made = iter(range(100))

    def run(**changes: Any) -> tuple[dict[str, list[Any]], dict[str, Any]]:
        values = {"task": "state", "policy": "latest", "as_of": LATER, "rules": RULES, "keyring": keyring()}
        out = tmp_path / "datasets" / str(next(made))
        exported = export_labels(Chosen(**{**values, **changes}), out, engine=engine, record=lambda _: None)
        return read_rows(out / ROWS_FILE), json.loads((exported.directory / MANIFEST_FILE).read_bytes())

    return run


@pytest.fixture
def predict(writer: GroupWriter, predictor: Predictor) -> Callable[..., UUID]:
    return lambda patient, **given: a_prediction(writer, predictor, patient, **given)


def test_a_row_holds_the_inputs_the_facts_and_how_they_came(
    export: Export, predict: Callable[..., UUID], writer: GroupWriter
) -> None:
    card = predict("p-1", heart_rate=131.0, respiratory_rate=28.0, age_years=67.5)
    a_label_of(
        writer, card, category="acute", icu_admission=True, diagnosis=("http://www.orpha.net", "558"),
        saw_prediction="yes",
    )  # fmt: skip

    columns, manifest = export()

    assert list(columns) == list(COLUMNS)
    row = {name: values[0] for name, values in columns.items()}
    assert (row["age"], row["heart_rate"], row["respiratory_rate"], row["sex"]) == (67.0, 131.0, 28.0, 1.0)
    assert (row["category"], row["icu_admission"]) == ("acute", True)
    assert (row["code_system"], row["code"]) == ("http://www.orpha.net", "558")
    assert (row["saw_prediction"], row["shown"], row["agreed"], row["source"]) == ("yes", True, True, "form")
    assert (row["year"], row["order"], row["synthetic"], row["weight"]) == (2026, 0, False, 1.0)
    assert (manifest["counts"]["rows"], manifest["counts"]["by_class"]["acute"]) == (1, 1)
    assert (manifest["format"], manifest["policy"], manifest["synthetic"]) == (1, "latest", False)


@pytest.mark.parametrize(
    ("meant", "heart_rate", "left_out"), [(False, 61.0, {"synthetic": 1}), (True, 62.0, {"real": 1})]
)
def test_made_up_patients_never_stand_among_real_ones(
    export: Export, predict: Callable[..., UUID], writer: GroupWriter, meant: bool, heart_rate: float,
    left_out: dict[str, int],
) -> None:  # fmt: skip
    invented = replace(EHR, tenant="synthetic-hospital")
    a_label_of(writer, predict("p-1", heart_rate=61.0), category="mild")
    a_label_of(writer, predict("p-1", heart_rate=62.0, actor=invented), actor=invented, category="mild")

    columns, manifest = export(synthetic=meant)

    assert [columns[name][0] for name in ("heart_rate", "synthetic")] == [heart_rate, meant]
    assert (manifest["counts"]["rows"], manifest["excluded"], manifest["synthetic"]) == (1, left_out, meant)


def test_the_same_moment_gives_the_same_bytes_after_later_labels_and_corrections(
    engine: Engine, tmp_path: Path, predict: Callable[..., UUID], writer: GroupWriter
) -> None:
    cards = [predict(f"p-{n}", heart_rate=60.0 + n, at=AT + timedelta(minutes=n)) for n in range(20)]
    labels = [a_label_of(writer, card, category="mild", by=str(n)) for n, card in enumerate(cards[:15])]
    chosen = Chosen("state", "latest", LATER, RULES, keyring())
    first = export_labels(chosen, tmp_path / "first", engine=engine, record=lambda _: None)
    after = LATER + timedelta(days=1)
    a_label_of(writer, cards[0], at=after, category="acute", by="0", refers_to=labels[0].id)
    a_label_of(writer, cards[1], at=after, kind=Kind.WITHDRAWAL, by="1", refers_to=labels[1].id)
    a_label_of(writer, cards[19], at=after, category="chronic")
    predict("p-99", at=after)

    second = export_labels(chosen, tmp_path / "second", engine=engine, record=lambda _: None)

    for name in (ROWS_FILE, MANIFEST_FILE):
        assert (first.directory / name).read_bytes() == (second.directory / name).read_bytes()
    third = export_labels(replace(chosen, as_of=after), tmp_path / "third", engine=engine, record=lambda _: None)
    assert third.manifest["counts"]["by_class"] == {
        "not-ill": 0, "mild": 13, "acute": 1, "chronic": 1, "terminal": 0,
    }  # fmt: skip
    assert (first.manifest["excluded"], third.manifest["excluded"]) == (
        {"unlabelled": 5},
        {"unlabelled": 5, "no-label-holds": 1},
    )


def test_a_process_that_reads_ahead_changes_no_byte(
    engine: Engine, tmp_path: Path, predict: Callable[..., UUID], writer: GroupWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards = [predict(f"p-{n}", heart_rate=60.0 + n, at=AT + timedelta(minutes=n)) for n in range(6)]
    for number, card in enumerate(cards):
        a_label_of(writer, card, category="mild", icu_admission=False, by=str(number))
    a_label_of(writer, cards[0], category="acute", by="7", diagnosis=("http://www.orpha.net", "558"))
    chosen = Chosen("state", "latest", LATER, RULES, keyring())
    export_labels(chosen, tmp_path / "alone", engine=engine, record=lambda _: None)

    monkeypatch.setattr(labelled_log, "_MANY", 1)
    export_labels(chosen, tmp_path / "ahead", engine=engine, record=lambda _: None)

    for name in (ROWS_FILE, MANIFEST_FILE):
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "ahead" / name).read_bytes()


def test_stored_rows_give_the_score_that_was_stored(
    engine: Engine, export: Export, predict: Callable[..., UUID], writer: GroupWriter, predictor: Predictor
) -> None:
    rng = np.random.default_rng(7)
    cards = {}
    for number in range(40):
        vitals = {"heart_rate": float(rng.integers(50, 150)), "spo2": float(rng.integers(85, 100))}
        if number % 3:
            vitals["respiratory_rate"] = float(rng.integers(10, 35))
        card = predict(f"p-{number}", age_years=float(rng.integers(18, 89)), **vitals)
        a_label_of(writer, card, icu_admission=bool(number % 2), by=str(number))
        cards[keyring().pseudonym("row", card.hex)] = card

    columns, _ = export(task="risk")

    matrix = np.array([columns[name] for name in FEATURES], dtype=np.float32).T
    assert np.allclose(predictor.score(matrix), columns["probability"], atol=1e-6)
    for row, probability in zip(columns["row"], columns["probability"], strict=True):
        stored = read_prediction(engine, cards[row], "north")
        assert stored is not None
        whole = prediction_from_bytes(
            stored.snapshot, stored.outcome, prediction_id=stored.id, model_version="", site_hash="",
            identity=None,  # type: ignore[arg-type]
        )  # fmt: skip
        again = predictor.score(matrix_from_snapshots([whole.snapshot]))
        assert again[0] == pytest.approx(whole.risk.probability, abs=1e-9)  # type: ignore[union-attr]
        assert again[0] == pytest.approx(probability, abs=1e-6)


def test_nothing_in_a_row_is_a_date_an_id_or_an_age_over_89(
    export: Export, predict: Callable[..., UUID], writer: GroupWriter, tmp_path: Path
) -> None:
    card = predict("1288992", age_years=97.0)
    a_label_of(writer, card, category="mild", comment="Tomás Ferrer")

    columns, _ = export()

    assert columns["age"] == [90.0]
    written = b"".join(path.read_bytes() for path in (tmp_path / "datasets").rglob("*") if path.is_file())
    secrets = ("1288992", str(card), card.hex, "Ferrer", "Practitioner", "ehr-1", "north", "2026-03-14")
    assert [text for text in secrets if text.encode() in written] == []
    assert [text for text in secrets if text in str(columns)] == []


def test_a_column_that_is_not_allowed_is_not_written(
    export: Export, predict: Callable[..., UUID], writer: GroupWriter
) -> None:
    a_label_of(writer, predict("p-1"), category="mild")

    columns, manifest = export(rules=replace(RULES, columns=RULES.columns - {"code", "site"}))

    assert list(columns) == manifest["columns"] == [name for name in COLUMNS if name not in ("code", "site")]


@pytest.mark.parametrize(
    ("policy", "believed"),
    [("latest", "terminal"), ("majority", "acute"), ("senior", "chronic"), ("adjudicate", "chronic")],
)
def test_each_policy_believes_another_of_those_who_disagree(
    export: Export, predict: Callable[..., UUID], writer: GroupWriter, policy: str, believed: str
) -> None:
    card = predict("p-1")
    said = [
        ("1", "acute", "client"),
        ("2", "chronic", "steward"),
        ("3", "acute", "client"),
        ("4", "terminal", "client"),
    ]
    for minutes, (by, category, role) in enumerate(said):
        moment = AT + timedelta(days=1, minutes=minutes)
        a_label_of(writer, card, by=by, category=category, role=role, at=moment)

    columns, manifest = export(policy=policy)

    assert columns["category"] == [believed]
    assert manifest["agreement"]["predictions"] == 1


@pytest.mark.parametrize(("policy", "reason"), [("majority", "tied"), ("adjudicate", "disputed")])
def test_what_nobody_settled_is_left_out_and_counted(
    export: Export, predict: Callable[..., UUID], writer: GroupWriter, policy: str, reason: str
) -> None:
    card = predict("p-1")
    for by, category in (("1", "acute"), ("2", "mild")):
        a_label_of(writer, card, by=by, category=category)
    a_label_of(writer, predict("p-2"), category="mild")

    _, manifest = export(policy=policy)

    assert (manifest["counts"]["rows"], manifest["excluded"]) == (1, {reason: 1})


def test_every_drop_has_its_reason(export: Export, predict: Callable[..., UUID], writer: GroupWriter) -> None:
    kept = predict("p-1", heart_rate=88.0)
    again = predict("p-1", heart_rate=88.0, at=AT + timedelta(minutes=5))
    young = predict("p-2", at=LATER - timedelta(days=2))
    child = predict("p-3", age_years=9.0)
    for card in (kept, again, young, child):
        a_label_of(writer, card, icu_admission=False, at=LATER - timedelta(days=1), by=card.hex)
    a_label_of(writer, predict("p-4"), category="acute")
    withdrawn = a_label_of(writer, card := predict("p-5"), icu_admission=True, by="5")
    a_label_of(writer, card, kind=Kind.WITHDRAWAL, refers_to=withdrawn.id, by="5", at=LATER)
    predict("p-6")

    columns, manifest = export(task="risk")

    assert len(columns["row"]) == 1
    assert manifest["excluded"] == {
        "duplicate": 1,
        "immature": 1,
        "under-18": 1,
        "no-icu-admission": 1,
        "no-label-holds": 1,
        "unlabelled": 1,
    }
    assert sum(manifest["excluded"].values()) + manifest["counts"]["rows"] == 7


def test_a_visit_whose_risk_was_withheld_is_learned_from(export: Export, writer: GroupWriter) -> None:
    withheld: Any = Withheld("1.1.0")
    a_label_of(writer, a_prediction(writer, withheld, "p-1"), icu_admission=True, at=AT + timedelta(days=1))

    columns, _ = export(task="risk")

    assert [columns[name] for name in ("icu_admission", "probability", "agreed")] == [[True], [None], [None]]


def test_labels_and_predictions_of_the_test_environment_are_no_data(
    export: Export, writer: GroupWriter, predictor: Predictor
) -> None:
    trial = replace(EHR, environment="test")
    a_prediction(writer, predictor, "p-1", actor=trial)

    with pytest.raises(DataRequired, match="there is none"):
        export()


def test_51_a_label_that_was_held_back_is_no_data_until_a_steward_releases_it(
    export: Export, predict: Callable[..., UUID], writer: GroupWriter
) -> None:
    a_label_of(writer, predict("p-1"), category="mild")
    first = a_label_of(writer, card := predict("p-2"), category="mild")
    held = a_label_of(writer, card, category="acute", refers_to=first.id, by="2")
    before, _ = export()
    steward = Received(replace(EHR, name="stew", kind="user", role="steward"), LATER, FeedbackPolicy(), keyring())

    release_label(held.id, "asked on the ward", steward, writer=writer)

    after, _ = export()
    assert held.quarantine == "other-author"
    assert (sorted(before["category"]), sorted(after["category"])) == (["mild", "mild"], ["acute", "mild"])


def test_an_erased_patient_is_in_no_dataset(export: Export, predict: Callable[..., UUID], writer: GroupWriter) -> None:
    for patient in ("p-1", "p-2"):
        a_label_of(writer, predict(patient), category="mild", by=patient)
    before, _ = export()
    forget_one_patient(writer.submit_change, keyring(), "p-1", actor=EHR, at=LATER, reference="7")

    after, _ = export()

    assert (len(before["row"]), len(after["row"])) == (2, 1)
    assert set(after["patient"]) < set(before["patient"])


def test_order_follows_time_and_rows_are_sorted_by_their_hash(
    export: Export, predict: Callable[..., UUID], writer: GroupWriter
) -> None:
    for number in (3, 1, 2, 0):
        card = predict(f"p-{number}", heart_rate=70.0 + number, at=AT + timedelta(hours=number))
        a_label_of(writer, card, category="mild", by=str(number))

    columns, _ = export()

    assert columns["row"] == sorted(columns["row"])
    assert dict(zip(columns["order"], columns["heart_rate"], strict=True)) == {0: 70.0, 1: 71.0, 2: 72.0, 3: 73.0}


def test_a_directory_that_is_there_is_left_alone(
    export: Export, engine: Engine, predict: Callable[..., UUID], writer: GroupWriter, tmp_path: Path
) -> None:
    a_label_of(writer, predict("p-1"), category="mild")
    (tmp_path / "mine").mkdir()

    with pytest.raises(Conflict):
        export_labels(
            Chosen("state", POLICIES[0], LATER, RULES, keyring()), tmp_path / "mine", engine=engine,
            record=lambda _: None,
        )  # fmt: skip

    assert list((tmp_path / "mine").iterdir()) == []
