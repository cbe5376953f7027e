"""The five-state model in service: beside the tags once it is promoted, gone once it is rolled back."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cds_service.domain.label import CATEGORIES
from cds_service.errors import ConfigurationError, Unavailable
from cds_service.inference.session import run_session
from cds_service.inference.state_model import load_state_predictor
from tests.conftest import Service, cds_in
from tests.published import MODELS, SHIPPED, models_dir, publish_states, reseal
from tests.registry.conftest import ADA, PASSWORD, REASON
from tests.web.calls import Json, fixture, post

QUERY = "/predict?age=71&sex=male&heart_rate=128&encounter_class=EMER"
CHILD = "/predict?age=7&sex=male&heart_rate=128"


def decide(service: Service, *words: str) -> None:
    """One decision about the states by Ada, seen by the process."""
    done = cds_in(service, *words, *ADA, *REASON, typed=PASSWORD)
    assert (done.returncode, done.stderr) == (0, "")
    service.runtime.models.refresh()


def hook(service: Service) -> Json:
    card: Json = json.loads(post(service.client, fixture()).data)["cards"][0]
    return card


def states_on(resource: Json) -> list[Json]:
    return [
        entry for entry in resource["prediction"] if "qualitativeRisk" in entry and "coding" not in entry["outcome"]
    ]


def test_every_door_has_five_probabilities_and_a_set_until_the_model_is_rolled_back(
    ward: Service, models: Path
) -> None:
    publish_states(models, "1.0.0")
    before = ward.client.get(QUERY).get_json()

    decide(ward, "promote", "state", "1.0.0")
    during, card = ward.client.get(QUERY).get_json(), hook(ward)
    stored = ward.client.get(f"/predictions/{during['id']}").get_json()
    resource = ward.client.get(f"/fhir/RiskAssessment/{during['id']}").get_json()
    decide(ward, "rollback", "state")
    after = ward.client.get(QUERY).get_json()

    found = during["state_model"]
    assert set(found["probabilities"]) == set(CATEGORIES)
    assert sum(found["probabilities"].values()) == pytest.approx(1.0)
    assert (found["version"], found["coverage"], found["synthetic"]) == ("1.0.0", 0.9, True)
    assert set(found["likely"]) == {name for name, share in found["probabilities"].items() if share >= 0.2}
    assert stored == during
    assert "States by this hospital's model" in card["detail"]
    assert [link["url"] for link in card["links"]][-1].endswith("/models/state/1.0.0/card")
    assert len(states_on(resource)) == 5
    assert before["state_model"] is after["state_model"] is None
    assert before["states"] == during["states"] == after["states"]
    assert ward.client.get(f"/predictions/{during['id']}").get_json() == during
    assert ward.client.get("/models/state/1.0.0/card").status_code == 200


def test_a_child_gets_the_tags_alone(ward: Service, models: Path) -> None:
    publish_states(models, "1.0.0")
    decide(ward, "promote", "state", "1.0.0")

    assert ward.client.get(CHILD).get_json()["state_model"] is None


def test_the_risk_model_alone_cannot_be_rolled_back_to_none(ward: Service, models: Path) -> None:
    refused = cds_in(ward, "rollback", "risk", *ADA, *REASON, typed=PASSWORD)
    without = cds_in(ward, "rollback", "state", *ADA, *REASON, typed=PASSWORD)

    assert (refused.returncode, without.returncode) == (1, 1)


@pytest.mark.parametrize("row", [[50.0] * 11, [float("nan")] * 11, [18.0, 1.0, *[float("nan")] * 9]])
def test_probabilities_are_the_softmax_of_calibrated_margins(tmp_path: Path, row: list[float]) -> None:
    publish_states(models_dir(tmp_path), "1.0.0")
    model = load_state_predictor(tmp_path / "models", "1.0.0")
    matrix = np.array([row], dtype=np.float32)

    found = model.score(matrix)[0]

    logits = model._margins(matrix)[0].astype(np.float64) / 1.5 + np.array([0.0, 0.1, -0.5, 0.0, -1.0])
    np.testing.assert_allclose(found, np.exp(logits) / np.exp(logits).sum(), rtol=1e-12)


HARM: dict[str, tuple[str, Any]] = {
    "bias of four": ("calibration.json", {"temperature": 1.5, "bias": [0.0] * 4}),
    "no temperature": ("calibration.json", {"bias": [0.0] * 5}),
    "temperature of zero": ("calibration.json", {"temperature": 0, "bias": [0.0] * 5}),
    "a class missing": ("conformal.json", {"alpha": 0.1, "thresholds": {"acute": 0.2}}),
    "not a number": ("conformal.json", {"alpha": float("nan"), "thresholds": dict.fromkeys(CATEGORIES, 0.2)}),
    "other golden rows": ("golden.json", {"rows": [[50.0] * 11], "margins": [[9.0] * 5]}),
}


@pytest.mark.parametrize("case", HARM)
def test_an_artifact_that_does_not_hold_what_it_must_is_refused(tmp_path: Path, case: str) -> None:
    directory = publish_states(models_dir(tmp_path), "1.0.0")
    name, content = HARM[case]
    (directory / name).write_text(json.dumps(content))
    reseal(directory)

    with pytest.raises(ConfigurationError):
        load_state_predictor(tmp_path / "models", "1.0.0")


@pytest.mark.parametrize("field", ["features", "classes", "features_version"])
def test_a_model_of_other_features_or_states_is_refused(tmp_path: Path, field: str) -> None:
    directory = publish_states(models_dir(tmp_path), "1.0.0")
    reseal(directory, **{field: ["other"]})

    with pytest.raises(ConfigurationError, match="other features or states"):
        load_state_predictor(tmp_path / "models", "1.0.0")


@pytest.mark.parametrize("content", [b"", b"not a graph", pickle.dumps({"a": 1})])
def test_what_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    directory = publish_states(models_dir(tmp_path), "1.0.0")
    (directory / "model.onnx").write_bytes(content)
    reseal(directory)

    with pytest.raises(ConfigurationError) as refused:
        load_state_predictor(tmp_path / "models", "1.0.0")

    assert refused.value.where.endswith("model.onnx")


def test_a_graph_of_other_columns_is_refused(tmp_path: Path) -> None:
    directory = publish_states(models_dir(tmp_path), "1.0.0")
    (directory / "model.onnx").write_bytes((MODELS / "risk" / SHIPPED / "vitals-8.onnx").read_bytes())
    reseal(directory)

    with pytest.raises(ConfigurationError, match="does not take 11 columns"):
        load_state_predictor(tmp_path / "models", "1.0.0")


@pytest.mark.parametrize(("output", "n_columns"), [("margins", 2), ("nothing", 11)])
def test_a_model_that_fails_is_unavailable(tmp_path: Path, output: str, n_columns: int) -> None:
    publish_states(models_dir(tmp_path), "1.0.0")
    model = load_state_predictor(tmp_path / "models", "1.0.0")

    with pytest.raises(Unavailable, match="the model failed"):
        run_session(model._session, output, np.zeros((1, n_columns), dtype=np.float32))
