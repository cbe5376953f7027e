"""How a decision reaches the calls: in every process, without a failed one, and never a version that is not whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from threading import Event
from time import thread_time

import pytest

from cds_service.errors import ConfigurationError
from cds_service.inference.artifact import published
from cds_service.inference.served import load_model
from cds_service.monitoring.metrics import REGISTRY
from cds_service.services import models as models_in_service
from cds_service.services.looking import Looking
from tests.conftest import Service, cds_in
from tests.published import publish, reseal
from tests.registry.conftest import PASSWORD, answering, promote, rollback
from tests.storage.builders import eventually


def damage(directory: Path) -> None:
    path = directory / "full.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")


HARM = {
    "damaged": damage,
    "deleted": shutil.rmtree,
    "foreign": lambda directory: reseal(directory, note="another artifact of the same name"),
}


def switched_without_looking(service: Service, models: Path, harm: object) -> None:
    """Promote 1.1.0, and harm it before this process could load it."""
    publish(models, "1.1.0")
    service.runtime.models.stop()
    done = cds_in(service, "promote", "risk", "1.1.0", "--user", "ada", "--reason", "for the test", typed=PASSWORD)
    assert done.returncode == 0
    harm(models / "risk" / "1.1.0")  # type: ignore[operator]
    service.runtime.models.refresh()


@pytest.mark.parametrize("how", HARM)
def test_a_version_that_is_not_whole_is_refused_and_the_old_one_goes_on(ward: Service, models: Path, how: str) -> None:
    before = REGISTRY.get_sample_value("cds_model_refused_total", {"task": "risk"}) or 0.0

    switched_without_looking(ward, models, HARM[how])

    assert answering(ward) == "1.0.0"
    assert REGISTRY.get_sample_value("cds_model_refused_total", {"task": "risk"}) == before + 1
    ready = ward.client.get("/readyz").get_json()
    assert (ready["models"]["risk"], ready["refused"]) == ("1.0.0", {"risk": "1.1.0"})
    assert "model_refused" in ward.log.read_text(encoding="utf-8")


def test_a_version_put_right_is_taken_up(ward: Service, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_in_service, "AGAIN_S", 0.0)
    kept = models.parent / "kept"

    switched_without_looking(ward, models, lambda directory: shutil.move(directory, kept))
    assert answering(ward) == "1.0.0"
    shutil.move(kept, models / "risk" / "1.1.0")
    ward.runtime.models.refresh()

    assert answering(ward) == "1.1.0"
    assert ward.client.get("/readyz").get_json()["refused"] == {}


def test_an_old_version_is_loaded_once_to_score_its_predictions_again(
    ward: Service, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(models, "1.1.0")
    known, loaded = ward.runtime.models, []
    monkeypatch.setattr(known, "_load", lambda *wanted: loaded.append(wanted[2]) or load_model(*wanted))
    now, old = (published(models, "risk", version) for version in ("1.0.0", "1.1.0"))

    again = [known.recall("risk", old), known.recall("risk", now), known.recall("risk", old)]

    assert [model.version for model in again] == ["1.1.0", "1.0.0", "1.1.0"]
    assert again[1] is known.serving.risk
    assert loaded == [old]
    with pytest.raises(ConfigurationError, match="not the artifact that was approved"):
        known.recall("risk", old._replace(digest="0" * 64))


def test_a_process_follows_by_itself(ward: Service, models: Path) -> None:
    publish(models, "1.1.0")

    cds_in(ward, "promote", "risk", "1.1.0", "--user", "ada", "--reason", "for the test", typed=PASSWORD)

    assert eventually(lambda: ward.runtime.models.versions()["risk"] == "1.1.0")


def test_a_switch_is_in_force_within_two_seconds_of_a_free_core(ward: Service, models: Path) -> None:
    """At most one interval passes until a process looks, and one look, counted in processor time, is enough."""
    publish(models, "1.1.0")
    ward.runtime.models.stop()
    cds_in(ward, "promote", "risk", "1.1.0", "--user", "ada", "--reason", "for the test", typed=PASSWORD)

    begun = thread_time()
    ward.runtime.models.refresh()
    worked = thread_time() - begun

    assert answering(ward) == "1.1.0"
    assert ward.runtime.models._looking._every_s + worked < 2.0


def test_between_two_looks_is_one_interval_and_no_more() -> None:
    waited: list[float] = []
    looked: list[int] = []

    class Stopping(Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout or 0.0)
            if len(waited) > 3:
                self.set()
            return self.is_set()

    looking = Looking(lambda: looked.append(len(waited)), name="test", every_s=0.5)
    looking._stopping = Stopping()

    looking._run()

    assert (waited, looked) == ([0.5] * 4, [1, 2, 3])


def test_every_prediction_is_scored_by_the_version_it_names(ward: Service, models: Path) -> None:
    publish(models, "1.1.0", shift=2.0)
    query = "/predict?age=71&sex=male&heart_rate=128&encounter_class=EMER"

    low = ward.client.get(query).get_json()
    promote(ward, "1.1.0")
    high = ward.client.get(query).get_json()
    rollback(ward)
    again = ward.client.get(query).get_json()

    assert [one["model"]["version"] for one in (low, high, again)] == ["1.0.0", "1.1.0", "1.0.0"]
    assert low["risk"]["probability"] == again["risk"]["probability"] < high["risk"]["probability"]


def test_cards_of_models_that_were_in_service_stay_readable_and_no_others_are(ward: Service, models: Path) -> None:
    publish(models, "1.1.0")
    assert ward.client.get("/models/risk/1.1.0/card").status_code == 404
    promote(ward, "1.1.0")

    assert ward.client.get("/models/risk/1.0.0/card").status_code == 200
    assert ward.client.get("/models/risk/1.1.0/card").status_code == 200
    assert ward.client.get("/models/risk/..%2F1.0.0/card").status_code == 404


def test_the_metric_names_the_version_that_answers_alone(ward: Service, models: Path) -> None:
    publish(models, "1.1.0")
    promote(ward, "1.1.0")

    assert REGISTRY.get_sample_value("cds_model_version", {"task": "risk", "version": "1.1.0"}) == 1.0
    assert REGISTRY.get_sample_value("cds_model_version", {"task": "risk", "version": "1.0.0"}) is None


def test_a_process_does_not_start_on_a_risk_model_that_is_not_the_approved_one(ward: Service, models: Path) -> None:
    publish(models, "1.1.0")
    promote(ward, "1.1.0")
    reseal(models / "risk" / "1.1.0", note="another artifact of the same name")
    late = models_in_service.Models(models, ward.runtime.engine, ward.runtime.writer.submit_change)

    with pytest.raises(ConfigurationError, match="not the artifact that was approved"):
        late.start()

    found = cds_in(ward, "check", "--json")
    assert (found.returncode, "not the artifact" in json.loads(found.stdout)["problems"]["models"]) == (1, True)
