"""Retraining: the same trigger trains once, one host at a time, and a host that dies holds nothing for long."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine

from cds_service.domain.dataset import ROWS_FILE
from cds_service.errors import ConfigurationError, Conflict, DataRequired
from cds_service.inference.predictor import Predictor
from cds_service.services import train
from cds_service.services.dataset_rows import Chosen
from cds_service.services.retrain import LEASE, Cycle, Retrained, retrain_once
from cds_service.services.train import Training, next_version, read_gate, run_training
from cds_service.settings.dataset import dataset_rules
from cds_service.storage.trigger_log import Outcome
from cds_service.storage.writer import GroupWriter
from tests.databases import Database
from tests.factories import AT
from tests.storage.builders import keyring
from tests.storage.learning import EHR, a_label_of, a_prediction

LATER = AT + timedelta(days=30)
CHOSEN = Chosen("state", "latest", LATER, dataset_rules(None), keyring())


class Host:
    """One machine that retrains; its training publishes at once and remembers what it was asked."""

    def __init__(self, name: str, engine: Engine, writer: GroupWriter, directory: Path) -> None:
        self.models, self.trained = directory / "models", list[Training]()
        self.moment, self.code = LATER, 0
        self.during: Callable[[], None] = lambda: None
        self.cycle = Cycle(
            engine=engine, writer=writer, actor=EHR, holder=name, datasets=directory / name,
            record=lambda _: None, run=self.run, now=lambda: self.moment,
        )  # fmt: skip

    def run(self, training: Training, version: str, *, waiting: Callable[[], None]) -> int:
        self.trained.append(training)
        self.during()
        waiting()
        if self.code == 0:
            published = self.models / training.task / version
            published.mkdir(parents=True)
            (published / "gate.json").write_bytes(msgspec.json.encode({"verdict": "yes"}))
        return self.code

    def retrain(self, *, window: str = "2026-04", chosen: Chosen = CHOSEN) -> Retrained:
        training = Training(task="state", data=Path(), models_dir=self.models, champion=None, trainer="command:ada")
        return retrain_once(chosen, training, "monthly", window, self.cycle)


@pytest.fixture
def host(engine: Engine, writer: GroupWriter, predictor: Predictor, tmp_path: Path) -> Callable[[str], Host]:
    """Hosts on one database of two labelled predictions."""
    for patient in ("p-1", "p-2"):
        card = a_prediction(writer, predictor, patient)
        a_label_of(writer, card, category="mild", by=patient)
    return lambda name: Host(name, engine, writer, tmp_path)


def test_the_same_trigger_twice_trains_once(host: Callable[[str], Host], database: Database) -> None:
    one, other = host("one"), host("other")

    first, second = one.retrain(), other.retrain(chosen=replace(CHOSEN, as_of=LATER + timedelta(hours=1)))

    assert (first.is_new, second.is_new) == (True, False)
    assert first.outcome == second.outcome == Outcome("published", "1.0.0", "yes")
    assert (len(one.trained), len(other.trained)) == (1, 0)
    assert (one.trained[0].data / ROWS_FILE).is_file()
    assert database.rows("SELECT action FROM audit WHERE object_type = 'model' ORDER BY seq") == [
        ("model-train",),
        ("model-trained",),
    ]


def test_another_window_or_other_labels_train_again(
    host: Callable[[str], Host], writer: GroupWriter, predictor: Predictor
) -> None:
    one = host("one")
    one.retrain()
    again = one.retrain(window="2026-05")
    a_label_of(writer, a_prediction(writer, predictor, "p-3"), category="acute", by="3")
    more = one.retrain(window="2026-05")

    assert [came.outcome.version for came in (again, more)] == ["1.1.0", "1.2.0"]
    assert again.dataset != more.dataset


def test_two_hosts_do_not_train_a_task_at_once(host: Callable[[str], Host]) -> None:
    one, other = host("one"), host("other")
    refused: list[Any] = []

    def meanwhile() -> None:
        with pytest.raises(Conflict, match="one trains it") as problem:
            other.retrain(window="2026-05")
        refused.append(problem)

    one.during = meanwhile
    one.retrain()

    assert (len(refused), other.trained) == (1, [])


def test_a_host_that_died_is_succeeded_when_its_lease_has_run_out(host: Callable[[str], Host]) -> None:
    dead, heir = host("dead"), host("heir")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cds_service.services.retrain.finish", lambda *_, **__: lambda _: _gone())
        dead.during = lambda: (_ for _ in ()).throw(KeyboardInterrupt)  # type: ignore[attr-defined]
        with pytest.raises((KeyboardInterrupt, ConfigurationError)):
            dead.retrain()
    with pytest.raises(Conflict):
        heir.retrain()
    heir.moment = LATER + LEASE + timedelta(seconds=1)

    assert heir.retrain().outcome.state == "published"


def _gone() -> Any:
    raise ConfigurationError("the host is gone")


def test_a_host_that_was_succeeded_does_not_speak_over_its_heir(host: Callable[[str], Host]) -> None:
    slow, heir = host("slow"), host("heir")

    def take_over() -> None:
        heir.moment = LATER + LEASE + timedelta(seconds=1)
        heir.retrain()

    slow.during = take_over

    with pytest.raises(Conflict, match="took the training over"):
        slow.retrain()
    assert heir.retrain().outcome == Outcome("published", "1.0.0", "yes")


def test_what_was_refused_may_be_tried_again(host: Callable[[str], Host]) -> None:
    one = host("one")
    one.code = 1
    refused = one.retrain()
    one.code = 0

    assert (refused.outcome, one.retrain().outcome.state) == (Outcome("refused"), "published")


def test_nothing_to_train_on_is_said_before_anything_is_held(host: Callable[[str], Host], database: Database) -> None:
    with pytest.raises(DataRequired, match="no labelled prediction can be used"):
        host("one").retrain(chosen=replace(CHOSEN, as_of=AT + timedelta(hours=1)))

    assert database.rows("SELECT count(*) FROM retrain_triggers") == [(0,)]


@pytest.mark.parametrize(
    ("champion", "published", "expected"),
    [
        (None, [], "1.0.0"),
        ("1.0.0", ["1.0.0"], "1.1.0"),
        ("1.0.0", ["1.0.0", "1.1.0", "1.10.0", ".staging"], "1.11.0"),
        (None, ["1.0.0"], "1.1.0"),
        ("2.3.1", ["1.9.0", "2.3.1"], "2.4.0"),
    ],
)
def test_the_next_version_is_one_that_is_not_there(champion: str | None, published: list[str], expected: str) -> None:
    assert next_version(champion, published) == expected


def a_training(directory: Path, **changes: Any) -> Training:
    values: dict[str, Any] = {"task": "risk", "data": directory, "models_dir": directory, "champion": "1.0.0"}
    return Training(**{**values, "trainer": "command:ada", **changes})


def test_a_training_is_told_everything_by_its_command(tmp_path: Path) -> None:
    command = a_training(tmp_path, options={"trials": "3"}).command("1.1.0")

    assert command == [
        sys.executable, "-m", "training", "compare", "risk", "--data", str(tmp_path),
        "--out", f"{tmp_path}/risk/1.1.0", "--trainer", "command:ada",
        "--champion", f"{tmp_path}/risk/1.0.0", "--trials", "3",
    ]  # fmt: skip


def test_a_training_runs_without_our_settings_and_whoever_waits_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "training"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import os, sys, time\ntime.sleep(0.3)\nsys.exit(any(n.startswith('CDS_') for n in os.environ))\n"
    )
    monkeypatch.setattr(train, "HOME", tmp_path)
    monkeypatch.setattr(train, "_EVERY_S", 0.05)
    monkeypatch.setenv("CDS_SECRET_KEY", "x" * 64)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    waited: list[datetime] = []

    assert run_training(a_training(tmp_path), "1.1.0", waiting=lambda: waited.append(AT)) == 0
    assert waited

    def stop() -> None:
        raise Conflict("taken over")

    with pytest.raises(Conflict):
        run_training(a_training(tmp_path), "1.1.0", waiting=stop)


def test_without_the_package_of_training_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "HOME", tmp_path)

    with pytest.raises(ConfigurationError, match="training: is not here"):
        run_training(a_training(tmp_path), "1.1.0")


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_version_without_a_verdict_is_said_to_have_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "risk" / "1.1.0").mkdir(parents=True)
    (tmp_path / "risk" / "1.1.0" / "gate.json").write_text(text)

    with pytest.raises(ConfigurationError, match="holds no verdict"):
        read_gate(tmp_path, "risk", "1.1.0")
