"""Final diagnoses of HL7 v2 messages are labels of the patients something was predicted for."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import permutations

import pytest

from cds_service.storage.audit_log import verify_chain
from tests.conftest import Clock, Service
from tests.hl7.builders import OBR, PID, PV1, er7, msh, obx
from tests.web import test_stored_readings as stored
from tests.web.feedback_calls import acting
from tests.web.test_messages import post, rows
from tests.web.test_replayed_messages import Away, scored_by
from tests.web.test_stored_readings import ward

__all__ = ["ward"]

PNEUMONIA, DIABETES = "J18.9^Pneumonia^I10C", "E11.9^Diabetes^I10C"


def dg1(code: str = PNEUMONIA, kind: str = "F", *, day: str = "20260314", action: str = "", by: str = "") -> str:
    fields = {1: "1", 3: code, 5: day, 6: kind, 16: by, 21: action}
    return "|".join(["DG1", *(fields.get(number, "") for number in range(1, 22))]).rstrip("|")


def send(service: Service, *segments: str, msh_10: str, msh_7: str = "20260314093500+0100", pid: str = PID) -> None:
    message = er7(msh(msh_9="ADT^A08", msh_10=msh_10, msh_7=msh_7), pid, PV1, *segments)
    assert b"|AA|" in post(service, message).data


@pytest.fixture
def predicted(service: Service, clock: Clock) -> Service:
    """A service whose sender is of production, and that predicted something of the patient."""
    acting(service)
    assert b"|AA|" in post(service, er7(msh(msh_10="FIRST"), PID, PV1, OBR, obx())).data
    return service


def about(service: Service) -> list[tuple[str, str]]:
    [(found,)] = rows(service, "SELECT id FROM predictions ORDER BY created_at LIMIT 1")
    answer = json.loads(service.client.get(f"/predictions/{found}/labels").data)
    return sorted((one["diagnosis"]["code"], one["status"]) for one in answer["labels"])


def test_a_final_diagnosis_is_a_label_of_what_was_predicted(predicted: Service) -> None:
    send(predicted, dg1(by="D77^House^Gregory"), dg1(DIABETES), msh_10="A")

    assert about(predicted) == [("E11.9", "current"), ("J18.9", "current")]
    found = rows(predicted, "SELECT source, author, saw_prediction FROM labels WHERE code = 'J18.9'")
    assert found == [("hl7-dg1", "D77", "unknown")]
    assert rows(predicted, "SELECT count(*) FROM audit WHERE action = 'label'") == [(2,)]
    assert verify_chain(predicted.runtime.engine, predicted.runtime.keyring) is None


@pytest.mark.parametrize("kind", ["A", "W", ""], ids=["admitting", "working", "none"])
def test_a_diagnosis_that_is_not_final_is_no_label(predicted: Service, kind: str) -> None:
    send(predicted, dg1(kind=kind), msh_10="A")

    assert about(predicted) == []


@pytest.mark.parametrize("code", ["^Sugar", "J18.9^Pneumonia^LOCAL", "not-a-code^x^I10C"])
def test_a_code_nobody_understands_is_no_label(predicted: Service, code: str) -> None:
    send(predicted, dg1(code), msh_10="A")

    assert about(predicted) == []


@pytest.mark.parametrize(("day", "entered"), [("20260301", 1), ("20110502", 0)], ids=["last-visit", "history"])
def test_a_diagnosis_of_an_earlier_visit_is_no_label_of_todays_prediction(
    predicted: Service, day: str, entered: int
) -> None:
    send(predicted, dg1(day=day), msh_10="A")

    assert about(predicted) == []
    assert rows(predicted, "SELECT count(*) FROM labels") == [(entered,)]


def test_what_every_message_repeats_is_one_label(predicted: Service) -> None:
    for number in range(3):
        send(predicted, dg1(), msh_10=f"R{number}", msh_7=f"2026031409350{number}+0100")

    assert about(predicted) == [("J18.9", "current")]


def test_a_patient_for_whom_nothing_was_predicted_gets_no_label(predicted: Service) -> None:
    send(predicted, dg1(), msh_10="A", pid=PID.replace("P1", "P2"))

    assert rows(predicted, "SELECT count(*) FROM labels") == [(0,)]


def test_a_message_labels_the_prediction_it_brings_itself(service: Service, clock: Clock) -> None:
    acting(service)
    post(service, er7(msh(msh_7="20260314094000+0100"), PID, PV1, dg1(), OBR, obx()))

    assert about(service) == [("J18.9", "current")]


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
def test_a_deleted_diagnosis_is_withdrawn_in_whatever_order_messages_come(
    predicted: Service, order: tuple[int, ...]
) -> None:
    versions = [("20260314093500+0100", ""), ("20260314093600+0100", "U"), ("20260314093700+0100", "D")]
    for place in order:
        time, action = versions[place]
        send(predicted, dg1(action=action), msh_10=f"V{place}", msh_7=time)

    assert set(about(predicted)) == {("J18.9", "no-label"), ("J18.9", "withdrawn")}


def test_a_diagnosis_deleted_long_after_it_was_made_is_withdrawn(predicted: Service, clock: Clock) -> None:
    send(predicted, dg1(), dg1(DIABETES, day="20110502"), msh_10="A")
    clock.moment += timedelta(days=120)
    send(predicted, dg1(action="D"), dg1(DIABETES, day="20110502", action="D"), msh_10="B", msh_7="20260712093500+0100")

    assert about(predicted) == [("J18.9", "no-label"), ("J18.9", "withdrawn")]


def test_a_diagnosis_said_again_after_its_deletion_holds(predicted: Service) -> None:
    for minute, action in enumerate(("", "D", "")):
        send(predicted, dg1(action=action), msh_10=f"V{minute}", msh_7=f"2026031409350{minute}+0100")

    assert about(predicted) == [("J18.9", "current"), ("J18.9", "no-label"), ("J18.9", "replaced")]


def test_the_same_message_again_is_the_same_label(predicted: Service) -> None:
    for _ in range(2):
        send(predicted, dg1(), msh_10="A")

    assert rows(predicted, "SELECT count(*) FROM labels") == [(1,)]


def test_labels_of_a_test_sender_never_count(service: Service, clock: Clock) -> None:
    post(service, er7(msh(msh_7="20260314094000+0100"), PID, PV1, dg1(), OBR, obx()))

    assert about(service) == [("J18.9", "test")]


def test_labels_are_held_back_by_the_rules_every_label_is(predicted: Service) -> None:
    site = predicted.runtime.settings.site
    many = site.feedback.author_labels_a_day + 1
    for number in range(many):
        send(predicted, dg1(f"E{number // 10 + 10}.{number % 10}^x^I10C", by="D77"), msh_10=f"N{number}")

    assert rows(predicted, "SELECT quarantine, count(*) FROM labels GROUP BY quarantine ORDER BY quarantine") == [
        (None, many - 1),
        ("author-cap", 1),
    ]


def test_a_message_scored_later_labels_its_prediction(service: Service, clock: Clock) -> None:
    acting(service)
    good = scored_by(service, Away())
    post(service, er7(msh(msh_7="20260314094000+0100"), PID, PV1, dg1(), OBR, obx()))
    assert rows(service, "SELECT count(*) FROM labels") == [(0,)]
    scored_by(service, good)
    clock.moment += timedelta(minutes=1)

    service.runtime.beside._score_pending()

    assert about(service) == [("J18.9", "current")]


def test_a_card_that_rests_on_readings_of_the_patient_is_labelled_too(ward: Service) -> None:
    acting(ward)
    stored.send(ward, *stored.vitals())
    shown = stored.card(ward.client, stored.asked())
    message = er7(msh(msh_9="ADT^A08", msh_10="D", msh_7="20260314094100+0100"), stored.PID, stored.PV1, dg1())

    assert b"|AA|" in post(ward, message).data

    answer = json.loads(ward.client.get(f"/predictions/{shown['uuid']}/labels").data)
    assert [(one["diagnosis"]["code"], one["status"]) for one in answer["labels"]] == [("J18.9", "current")]
