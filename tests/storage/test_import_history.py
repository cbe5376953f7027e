"""A hospital's history in the ledger: once, corrected when it changes, and a dataset like every other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from cds_service.domain.codes import CodeTables
from cds_service.domain.policy import FeedbackPolicy
from cds_service.inference.predictor import Predictor
from cds_service.records.history import Dropped, HistoryRow
from cds_service.services.dataset_rows import Chosen
from cds_service.services.export_labels import export_labels
from cds_service.services.forget import forget_one_patient
from cds_service.services.import_history import Importer, Taken, import_history
from cds_service.services.models import Serving
from cds_service.services.received import Received
from cds_service.settings.dataset import dataset_rules
from cds_service.settings.site import Site
from cds_service.storage.parquet import read_rows
from cds_service.storage.writer import GroupWriter
from tests.conftest import Service, cds_in
from tests.databases import Database
from tests.storage.builders import keyring
from tests.storage.learning import EHR

HISTORY = Path(__file__).parents[2] / "fixtures" / "history"
NOW = datetime(2026, 3, 14, 8, 40, tzinfo=UTC)
VITALS = {"age": "67", "sex": "male", "heart_rate": "96", "respiratory_rate": "18", "spo2": "95"}
OPERATOR = replace(EHR, name="command:ada", kind="command", role="operator")

Import = Callable[..., list[Taken | Dropped]]


def a_row(number: int = 1, *, category: str | None = "mild", **changes: Any) -> HistoryRow:
    record = {**VITALS, **changes.pop("record", {})}
    values: dict[str, Any] = {
        "line": number + 1,
        "key": (f"p-{number}", f"E{number}"),
        "at": datetime(2025, 5, 1, 10, number, tzinfo=UTC),
        "record": {"patient_id": f"p-{number}", **record},
        "category": category,
        "icu_admission": None,
        "diagnosis": None,
    }
    return HistoryRow(**{**values, **changes})


@pytest.fixture
def take(engine: Engine, writer: GroupWriter, predictor: Predictor, tables: CodeTables) -> Import:
    def run(*rows: HistoryRow, weeks: int = 0, **changes: Any) -> list[Taken | Dropped]:
        policy = FeedbackPolicy(sender_labels_a_day=1, author_labels_a_day=1, burst_labels=1)
        received = Received(changes.pop("actor", OPERATOR), NOW + timedelta(weeks=weeks), policy, keyring())
        values: dict[str, Any] = {"synthetic": True, "drops_impossible": False, **changes}
        importer = Importer(received, Site(), tables, Serving(predictor), engine, writer, **values)
        return list(import_history(rows, importer))

    return run


def dataset(engine: Engine, tmp_path: Path, *, weeks: int = 9, task: str = "state") -> dict[str, list[Any]]:
    chosen = Chosen(task, "latest", NOW + timedelta(weeks=weeks), dataset_rules(None), keyring(), synthetic=True)
    out = tmp_path / f"{task}-{weeks}"
    export_labels(chosen, out, engine=engine, record=lambda _: None)
    return read_rows(out / "rows.parquet")


def test_a_row_is_a_prediction_nobody_saw_with_a_label(take: Import, engine: Engine, tmp_path: Path) -> None:
    assert take(a_row(1), a_row(2, category="acute")) == [Taken(2, "new"), Taken(3, "new")]

    rows = dataset(engine, tmp_path)
    assert sorted(rows["category"]) == ["acute", "mild"]
    assert (set(rows["shown"]), set(rows["source"]), set(rows["synthetic"])) == ({False}, {"import"}, {True})
    assert (set(rows["saw_prediction"]), set(rows["year"])) == ({"no"}, {2025})
    assert all(0 < value < 1 for value in rows["probability"])


def test_the_same_file_again_changes_nothing(take: Import, database: Database) -> None:
    rows = [a_row(number) for number in range(1, 6)]
    take(*rows)
    counted = "SELECT (SELECT count(*) FROM predictions), (SELECT count(*) FROM labels), (SELECT count(*) FROM audit)"
    before = database.rows(counted)

    again = take(*rows, weeks=1, actor=replace(OPERATOR, name="command:bob"))

    assert {one.what for one in again if isinstance(one, Taken)} == {"same"}
    assert database.rows(counted) == before


def test_a_changed_category_supersedes_and_the_old_dataset_stays(
    take: Import, engine: Engine, tmp_path: Path, database: Database
) -> None:
    take(a_row())
    (changed,) = take(a_row(category="chronic"), weeks=1, actor=replace(OPERATOR, name="command:bob"))

    assert changed == Taken(2, "changed")
    assert dataset(engine, tmp_path, weeks=2)["category"] == ["chronic"]
    assert dataset(engine, tmp_path, weeks=0)["category"] == ["mild"]
    assert database.rows("SELECT count(*) FROM predictions") == [(1,)]


def test_changed_measurements_are_another_prediction_and_the_label_moves(
    take: Import, engine: Engine, tmp_path: Path, database: Database
) -> None:
    corrected = {"heart_rate": "118"}
    take(a_row())
    (changed,) = take(a_row(record=corrected), weeks=1)
    (back,) = take(a_row(), weeks=2)
    (still,) = take(a_row(), weeks=3)

    assert (changed, back, still) == (Taken(2, "changed"), Taken(2, "changed"), Taken(2, "same"))
    assert [dataset(engine, tmp_path, weeks=week)["heart_rate"] for week in (0, 1, 2)] == [[96.0], [118.0], [96.0]]
    assert database.rows("SELECT count(*) FROM predictions") == [(2,)]


def test_a_row_stopped_between_prediction_and_label_is_labelled_the_next_time(
    take: Import, writer: GroupWriter, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(writer, "submit_change", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            take(a_row())

    assert take(a_row()) == [Taken(2, "new")]
    assert database.rows("SELECT (SELECT count(*) FROM predictions), (SELECT count(*) FROM labels)") == [(1, 1)]


def test_a_label_the_record_contradicts_is_held_back_once(take: Import, database: Database) -> None:
    sick = {"heart_rate": "140", "respiratory_rate": "30", "spo2": "85", "systolic_bp": "80", "temperature": "40"}
    row = a_row(category="not-ill", record=sick)

    assert [take(row, weeks=week) for week in (0, 1)] == [
        [Taken(2, "new", "contradicts-record")],
        [Taken(2, "same", "contradicts-record")],
    ]
    assert database.rows("SELECT count(*) FROM labels") == [(1,)]


@pytest.mark.parametrize(
    ("changes", "dropped"),
    [
        ({"record": {"pregnant": "perhaps"}}, Dropped(2, "unreadable", "pregnant")),
        ({"record": dict.fromkeys(("heart_rate", "respiratory_rate", "spo2"), "")}, Dropped(2, "no-vitals")),
        ({"record": {"heart_rate": "900"}}, Dropped(2, "impossible", "heart_rate")),
    ],
)
def test_what_cannot_be_assessed_is_dropped_with_its_reason(
    take: Import, changes: dict[str, Any], dropped: Dropped
) -> None:
    assert take(a_row(**changes), drops_impossible=True) == [dropped]


def test_an_impossible_value_is_missing_unless_the_map_drops_its_row(
    take: Import, engine: Engine, tmp_path: Path
) -> None:
    assert take(a_row(record={"heart_rate": "900"})) == [Taken(2, "new")]

    assert str(dataset(engine, tmp_path)["heart_rate"]) == "[nan]"


def test_the_command_takes_the_fixture_and_reports_every_row_it_drops(service: Service, tmp_path: Path) -> None:
    report = tmp_path / "report.jsonl"
    cds_in(service, "users", "add", "ada", "--tenant", "north", "--role", "steward", typed="a long enough password")
    command = ("import-history", str(HISTORY / "visits.csv"), "--columns", str(HISTORY / "map.toml"))

    done = cds_in(service, *command, "--tenant", "north", "--report", str(report), "--json")

    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)["counts"]
    lines = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    assert (counts["new"], counts["dropped: duplicate"], len(lines)) == (1423, 20, 48)
    assert Counter(f"dropped: {line['dropped']}" for line in lines) == {
        what: number for what, number in counts.items() if what.startswith("dropped")
    }
    assert "SIM-" not in report.read_text(encoding="utf-8")
    out = tmp_path / "state"
    exported = cds_in(service, "export-labels", "--task", "state", "--synthetic", "--out", str(out), "--json")
    manifest = json.loads(exported.stdout)["manifest"]
    assert (manifest["counts"]["by_class"]["terminal"], manifest["synthetic"]) == (15, True)
    audited = service.runtime.engine.connect().exec_driver_sql(
        "SELECT object_id FROM audit WHERE action = 'labels-export'"
    )
    assert audited.scalar_one() == manifest["rows_sha256"]


def test_a_tenant_nobody_is_of_is_refused(service: Service) -> None:
    command = ("import-history", str(HISTORY / "visits.csv"), "--columns", str(HISTORY / "map.toml"))

    done = cds_in(service, *command, "--tenant", "nroth")

    assert (done.returncode, "no client, user or token is of this tenant" in done.stderr) == (1, True)


def test_an_erased_patient_does_not_come_back_with_next_weeks_file(
    take: Import, engine: Engine, tmp_path: Path, database: Database, writer: GroupWriter
) -> None:
    take(a_row(1), a_row(2))
    forget_one_patient(writer.submit_change, keyring(), "p-1", actor=OPERATOR, at=NOW, reference="request 7")

    again = take(a_row(1), a_row(2), weeks=1)

    assert again == [Dropped(2, "erased"), Taken(3, "same")]
    assert len(dataset(engine, tmp_path)["row"]) == 1
    key = keyring().patient_key("north", "p-1")
    assert database.rows("SELECT patient_key, tenant FROM erasures") == [(key, "north")]
    assert database.rows(f"SELECT count(*) FROM predictions WHERE patient_key = '{key}'") == [(0,)]
