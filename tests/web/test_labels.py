"""Labels of a prediction from call to ledger and back (THREATS 49 to 53)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.domain.codes import ICD10CM, SNOMED
from cds_service.domain.label import ORPHA
from cds_service.domain.policy import FeedbackPolicy
from tests.conftest import NOW, Clock, Service
from tests.web.calls import Json, is_json_failure, post
from tests.web.feedback_calls import a_card, accepted, acting, ago, overridden, report, stored

DOCTOR = "Practitioner/7"
COMMENT = "=cmd|' /C calc'!A0 <img src=x onerror=alert(1)> Tomás Ferrer"


@pytest.fixture
def client(service: Service) -> FlaskClient:
    return acting(service)


@pytest.fixture
def prediction(client: FlaskClient) -> str:
    return a_card(client)


def label(client: FlaskClient, prediction: str, **members: Any) -> TestResponse:
    """The answer to a label of the prediction by our clinician."""
    body = {name: value for name, value in {"author": DOCTOR, **members}.items() if value is not None}
    return post(client, body, f"/predictions/{prediction}/labels")


def release(client: FlaskClient, held: str, **members: str) -> TestResponse:
    """The answer to a release of a label that is held back."""
    return post(client, members, f"/labels/{held}/release")


def labelled(client: FlaskClient, prediction: str, **members: Any) -> Json:
    answered = label(client, prediction, **members)
    assert answered.status_code == 200, answered.text
    document: Json = json.loads(answered.data)
    return document


def history(client: FlaskClient, prediction: str, **query: str) -> Json:
    answered = client.get(f"/predictions/{prediction}/labels", query_string=query)
    assert answered.status_code == 200, answered.text
    document: Json = json.loads(answered.data)
    return document


def current(client: FlaskClient, prediction: str, **query: str) -> list[Any]:
    labels = history(client, prediction, **query)["labels"]
    return [one.get("category") for one in labels if one["status"] == "current"]


def test_a_label_keeps_where_it_comes_from(service: Service, client: FlaskClient, prediction: str) -> None:
    document = labelled(
        client,
        prediction,
        category="acute",
        diagnosis={"system": ICD10CM, "code": "J18.9"},
        observed_at="2026-03-14T09:39:00+01:00",
        saw_prediction="yes",
        comment=COMMENT,
    )

    assert document.pop("id")
    assert document == {
        "kind": "label",
        "source": "form",
        "about": "prediction",
        "author": DOCTOR,
        "actor": "local",
        "role": "client",
        "category": "acute",
        "diagnosis": {"system": ICD10CM, "code": "J18.9"},
        "observed_at": "2026-03-14T08:39:00+00:00",
        "received_at": "2026-03-14T08:40:00+00:00",
        "saw_prediction": "yes",
    }
    assert stored(service, "SELECT count(*) FROM audit WHERE object_type = 'label'") == [1]


def test_a_label_is_read_back_with_what_holds_and_the_outcome_apart(client: FlaskClient, prediction: str) -> None:
    labelled(client, prediction, category="acute")
    report(client, accepted(prediction))

    document = history(client, prediction)

    assert (document["prediction"], document["disputed"]) == (prediction, False)
    assert [one["status"] for one in document["labels"]] == ["current"]
    assert document["outcome"] == {"outcome": "accepted", "at": "2026-03-14T08:39:00+00:00"}


def test_reading_labels_is_audited(service: Service, client: FlaskClient, prediction: str) -> None:
    history(client, prediction)

    assert stored(service, "SELECT object_id FROM audit WHERE action = 'labels-read'") == [prediction]


def test_the_same_label_again_is_one_event_and_one_answer(service: Service, client: FlaskClient, clock: Clock) -> None:
    prediction = a_card(client)
    answers = set()
    for _ in range(3):
        answers.add(label(client, prediction, category="mild", comment="seen").data)
        clock.moment += timedelta(minutes=5)

    assert len(answers) == 1
    assert stored(service, "SELECT count(*) FROM labels") == [1]
    assert stored(service, "SELECT count(*) FROM audit WHERE object_type = 'label'") == [1]


def test_a_correction_and_a_withdrawal_leave_the_history(client: FlaskClient, prediction: str, clock: Clock) -> None:
    first = labelled(client, prediction, category="acute")
    clock.moment += timedelta(minutes=1)
    second = labelled(client, prediction, category="mild", supersedes=first["id"])
    clock.moment += timedelta(minutes=1)
    assert current(client, prediction) == ["mild"]
    labelled(client, prediction, withdraws=second["id"])

    assert current(client, prediction) == []
    assert [one["status"] for one in history(client, prediction)["labels"]] == ["withdrawn", "withdrawn", "no-label"]
    assert current(client, prediction, as_of="2026-03-14T08:41:30Z") == ["mild"]
    assert current(client, prediction, as_of="2026-03-14T09:40:30+01:00") == ["acute"]


def test_two_clinicians_stand_side_by_side_and_are_disputed(client: FlaskClient, prediction: str) -> None:
    labelled(client, prediction, category="acute")
    labelled(client, prediction, category="mild", author="PractitionerRole/9")

    assert sorted(current(client, prediction)) == ["acute", "mild"]
    assert history(client, prediction)["disputed"] is True


def test_labels_of_the_test_environment_are_kept_and_never_count(service: Service) -> None:
    client = acting(service, environment="test")
    prediction = a_card(client)
    labelled(client, prediction, category="acute")

    assert [one["status"] for one in history(client, prediction)["labels"]] == ["test"]


@pytest.mark.parametrize(
    ("system", "code"), [(ICD10CM, "A41.9"), (ICD10CM, "R6521"), (SNOMED, "91302008"), (ORPHA, "58")]
)
def test_a_diagnosis_alone_is_a_label(client: FlaskClient, prediction: str, system: str, code: str) -> None:
    assert labelled(client, prediction, diagnosis={"system": system, "code": code})["diagnosis"]["code"] == code


BAD_BODIES: dict[str, tuple[dict[str, Any], str]] = {
    "nothing said": ({}, "category"),
    "unknown category": ({"category": "critical"}, "category"),
    "not for a clinician to say": ({"category": "not-determinable"}, "category"),
    "null": ({"category": "acute", "observed_at": None, "comment": 5}, "comment"),
    "unknown member": ({"category": "acute", "severity": 3}, "severity"),
    "no author": ({"category": "acute", "author": None}, "author"),
    "author is a patient": ({"category": "acute", "author": "Patient/1"}, "author"),
    "unknown system": ({"diagnosis": {"system": "urn:x", "code": "1"}}, "diagnosis.system"),
    "not a code of its system": ({"diagnosis": {"system": SNOMED, "code": "J18.9"}}, "diagnosis.code"),
    "words as a code": ({"diagnosis": {"system": ICD10CM, "code": "pneumonia"}}, "diagnosis.code"),
    "time without zone": ({"category": "acute", "observed_at": "2026-03-14T08:00:00"}, "observed_at"),
    "the future": ({"category": "acute", "observed_at": ago(-6)}, "observed_at"),
    "saw it perhaps": ({"category": "acute", "saw_prediction": "maybe"}, "saw_prediction"),
    "withdraws and says": ({"category": "acute", "withdraws": str(uuid4())}, "category"),
    "supersedes no id": ({"category": "acute", "supersedes": "1"}, "supersedes"),
    "ICU in words": ({"icu_admission": "yes"}, "icu_admission"),
    "ICU beside withdraws": ({"withdraws": str(uuid4()), "icu_admission": True}, "icu_admission"),
    "endless comment": ({"category": "acute", "comment": "x" * 4001}, "comment"),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_48_a_label_that_says_it_wrong_is_400_naming_the_place(
    service: Service, client: FlaskClient, prediction: str, case: str
) -> None:
    members, where = BAD_BODIES[case]

    answered = label(client, prediction, **members)

    assert answered.status_code == 400
    assert is_json_failure(answered)
    assert json.loads(answered.data)["where"] == where
    assert stored(service, "SELECT count(*) FROM labels") == [0]


@pytest.mark.parametrize("body", [[], None, 3, "x"])
def test_48_a_label_that_is_no_object_is_400(client: FlaskClient, prediction: str, body: object) -> None:
    assert post(client, body, f"/predictions/{prediction}/labels").status_code == 400


def test_49_a_foreign_prediction_is_as_unknown_as_none(service: Service) -> None:
    others = a_card(acting(service, tenant="elsewhere"))
    tested = a_card(acting(service, environment="test"))
    client = acting(service)

    for foreign in (others, tested, str(uuid4()), "77"):
        answers = (label(client, foreign, category="acute"), client.get(f"/predictions/{foreign}/labels"))
        assert [answer.status_code for answer in answers] == [404, 404]
    assert stored(service, "SELECT count(*) FROM labels") == [0]


def test_49_a_label_of_another_prediction_can_be_neither_superseded_nor_withdrawn(client: FlaskClient) -> None:
    elsewhere = labelled(client, a_card(client), category="acute")["id"]
    prediction = a_card(client)

    assert json.loads(label(client, prediction, category="mild", supersedes=elsewhere).data)["where"] == "supersedes"
    assert json.loads(label(client, prediction, withdraws=elsewhere).data)["where"] == "withdraws"
    assert label(client, prediction, withdraws=str(uuid4())).status_code == 404


# THREATS 51


def test_51_a_burst_and_a_cap_hold_further_labels_back(
    service: Service, client: FlaskClient, prediction: str, clock: Clock
) -> None:
    policy = FeedbackPolicy()
    reasons = []
    for number in range(policy.author_labels_a_day + 1):
        if number >= policy.burst_labels:
            clock.moment += timedelta(seconds=61)
        document = labelled(client, prediction, category="acute", comment=str(number))
        reasons.append(document.get("quarantine"))
        if number == policy.burst_labels - 1:
            burst = labelled(client, prediction, category="acute", comment="burst")
            assert burst["quarantine"] == "burst"

    assert set(reasons[:-2]) == {None}
    assert reasons[-1] == "author-cap"
    other = labelled(client, prediction, category="acute", author="Practitioner/8")
    assert "quarantine" not in other


def test_51_another_clinicians_label_stands_until_a_steward_releases_the_change(
    service: Service, client: FlaskClient, prediction: str
) -> None:
    first = labelled(client, prediction, category="acute")
    taken_back = labelled(client, prediction, withdraws=first["id"], author="Practitioner/666")
    assert taken_back["quarantine"] == "other-author"
    assert current(client, prediction) == ["acute"]

    steward = acting(service, kind="user", name="ada", role="steward")
    answers = {release(steward, taken_back["id"], reason="the patient was mixed up").data for _ in range(2)}

    assert len(answers) == 1
    assert current(client, prediction) == []
    assert stored(service, "SELECT actor, role FROM labels WHERE kind = 'release'") == [("ada", "steward")]
    assert stored(service, "SELECT count(*) FROM audit WHERE action = 'release'") == [1]


def test_51_a_release_of_nothing_held_back_changes_nothing(service: Service, prediction: str) -> None:
    counts = labelled(service.client, prediction, category="acute")["id"]
    elsewhere = acting(service, tenant="elsewhere", kind="user", name="ada", role="steward")

    assert release(elsewhere, counts, reason="x").status_code == 404
    steward = acting(service, kind="user", name="ada", role="steward")
    assert release(steward, counts, reason="x").status_code == 409
    assert release(steward, str(uuid4()), reason="x").status_code == 404
    assert release(steward, counts).status_code == 400
    assert release(steward, counts, reason="").status_code == 400
    assert stored(service, "SELECT count(*) FROM labels") == [1]


def test_51_not_ill_against_an_emergency_score_is_held_back(client: FlaskClient, prediction: str) -> None:
    assert labelled(client, prediction, category="not-ill")["quarantine"] == "contradicts-record"
    assert current(client, prediction) == []


def test_51_a_label_needs_a_known_caller_and_a_named_clinician(service: Service, prediction: str) -> None:
    assert label(service.client, prediction, category="acute", author=None).status_code == 400
    user = acting(service, kind="user", name="dr.house", role="clinician")

    document = labelled(user, prediction, category="acute", author=None)

    assert (document["author"], document["role"]) == ("dr.house", "clinician")


# THREATS 52


def test_52_a_comment_comes_back_inert_and_is_encrypted_at_rest(
    service: Service, client: FlaskClient, prediction: str
) -> None:
    labelled(client, prediction, category="acute", comment=COMMENT)
    answered = client.get(f"/predictions/{prediction}/labels")
    service.runtime.drain()

    assert json.loads(answered.data)["labels"][0]["comment"] == COMMENT
    assert (answered.content_type, answered.headers["X-Content-Type-Options"]) == ("application/json", "nosniff")
    assert "<" not in answered.text
    kept = b"".join(path.read_bytes() for path in service.database.parent.glob("cds.db*"))
    assert [part for part in ("calc", "onerror", "Ferrer") if part.encode() in kept] == []
    assert "calc" not in service.log.read_text(encoding="utf-8")


# Feedback and labels together


def test_a_label_by_feedback_is_seen_with_the_others_and_may_be_superseded(
    client: FlaskClient, prediction: str
) -> None:
    report(client, overridden(prediction, "mild"))
    [from_card] = history(client, prediction)["labels"]
    assert (from_card["source"], from_card["saw_prediction"], from_card["status"]) == ("feedback", "yes", "current")

    held = labelled(client, prediction, category="acute", supersedes=from_card["id"])

    assert held["quarantine"] == "other-author"


def test_accepting_after_all_takes_the_label_back(client: FlaskClient, prediction: str) -> None:
    report(client, accepted(prediction, minutes=1))
    report(client, overridden(prediction, "mild", minutes=5))

    assert current(client, prediction) == []
    assert history(client, prediction)["outcome"]["outcome"] == "accepted"


@pytest.mark.parametrize("as_of", ["yesterday", "2026-03-14", "2026-03-14T08:00:00", "0001-01-01T00:00:00+14:00"])
def test_a_moment_that_is_none_is_400(client: FlaskClient, prediction: str, as_of: str) -> None:
    answered = client.get(f"/predictions/{prediction}/labels", query_string={"as_of": as_of})

    assert (answered.status_code, json.loads(answered.data)["where"]) == (400, "as_of")


def test_the_moment_asked_about_defaults_to_now(client: FlaskClient, prediction: str) -> None:
    assert history(client, prediction)["as_of"] == NOW.isoformat()


@pytest.mark.parametrize("ended_in_icu", [True, False])
def test_whether_the_visit_ended_in_intensive_care_is_a_fact_of_its_own(
    service: Service, client: FlaskClient, prediction: str, ended_in_icu: bool
) -> None:
    document = labelled(client, prediction, icu_admission=ended_in_icu)

    assert document["icu_admission"] is ended_in_icu
    assert "category" not in document
    assert history(client, prediction)["labels"][0]["icu_admission"] is ended_in_icu
    assert stored(service, "SELECT icu_admission FROM labels") == [ended_in_icu]
