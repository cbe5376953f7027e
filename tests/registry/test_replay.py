"""A stored prediction scored again by its own version gives the same number to the last bit, or says what differs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.conftest import Done, Service, cds_in
from tests.published import publish, publish_states, reseal
from tests.registry.conftest import ADA, PASSWORD, REASON, promote, rollback
from tests.web.calls import fixture, post
from tests.web.feedback_calls import a_card, acting, overridden, report, stored

QUERY = "/predict?age=71&sex=male&heart_rate=128&spo2=91&encounter_class=EMER"


def replayed(service: Service, prediction: str) -> tuple[Done, dict[str, Any]]:
    done = cds_in(service, "replay", prediction, "--json")
    return done, json.loads(done.stdout or done.stderr)


def test_predictions_of_every_version_come_out_the_same_whatever_is_in_force_now(ward: Service, models: Path) -> None:
    publish(models, "1.1.0")
    publish_states(models, "1.0.0")
    made = [ward.client.get(QUERY).get_json()["id"], json.loads(post(ward.client, fixture()).data)["cards"][0]["uuid"]]
    promote(ward, "1.1.0")
    assert cds_in(ward, "promote", "state", "1.0.0", *ADA, *REASON, typed=PASSWORD).returncode == 0
    ward.runtime.models.refresh()
    made.append(ward.client.get(QUERY).get_json()["id"])
    rollback(ward)

    for prediction in made:
        done, document = replayed(ward, prediction)
        assert (done.returncode, document["differing"]) == (0, [])
        assert document["stored"] == document["again"]
    with ward.runtime.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT object_id FROM audit WHERE action = 'prediction-rescore'")
        assert [identifier for (identifier,) in rows] == made


def test_what_differs_is_named(ward: Service) -> None:
    prediction = ward.client.get(QUERY).get_json()["id"]
    with ward.runtime.engine.begin() as connection:
        # As if another heart rate had been stored than the one that was scored.
        changed = "CAST(replace(CAST(snapshot AS TEXT), '128', '70') AS BLOB)"
        connection.exec_driver_sql(f"UPDATE predictions SET snapshot = {changed}")

    done, document = replayed(ward, prediction)

    assert (done.returncode, "risk" in document["differing"]) == (1, True)
    assert document["stored"] != document["again"]


def test_another_artifact_of_the_name_is_not_taken_for_the_one_that_answered(ward: Service, models: Path) -> None:
    publish(models, "1.1.0")
    promote(ward, "1.1.0")
    prediction = ward.client.get(QUERY).get_json()["id"]

    reseal(models / "risk" / "1.1.0", note="another artifact of the same name")
    assert "not the artifact that was approved" in replayed(ward, prediction)[1]["error"]
    shutil.rmtree(models / "risk" / "1.1.0")
    assert replayed(ward, prediction)[0].returncode == 1


def test_what_is_no_prediction_is_not_found(ward: Service) -> None:
    for text in ("nothing", "018e3a5c-0000-7000-8000-000000000001"):
        assert "no such prediction" in replayed(ward, text)[1]["error"]


def test_feedback_on_a_card_of_a_model_rolled_back_since_still_labels_what_it_said(ward: Service, models: Path) -> None:
    publish(models, "1.1.0")
    promote(ward, "1.1.0")
    card = a_card(acting(ward))
    rollback(ward)

    answers = [report(ward.client, overridden(card, "acute")) for _ in range(2)]

    assert [one.status_code for one in answers] == [200, 200]
    labelled = "SELECT model_version, category FROM labels JOIN predictions ON predictions.id = prediction_id"
    assert stored(ward, labelled) == [("1.1.0", "acute")]
