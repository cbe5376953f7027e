"""A call for rare diseases that brings no findings uses those that arrived by HL7 v2, of this patient surely."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from tests.fhir.test_rare_findings import a_condition
from tests.hl7.builders import er7, msh, obx
from tests.web.calls import bundle, fixture, post
from tests.web.test_messages import post as post_message
from tests.web.test_rare import MARFANOID
from tests.web.test_stored_readings import OBR, PID, PV1, SYSTEM, ward  # noqa: F401

PATH, PATIENT = "/cds-services/rare-disease", "1288992"
BY_MESSAGE = "No findings were sent: those of other systems' messages were used."
NOT_AGREED = "Findings another system sent were left out"


@pytest.fixture
def hospital(ward):  # noqa: F811
    """The ward's service once its knowledge base is there."""
    assert ward.runtime.beside.rare.wait(30)
    return ward


def send(service, *segments, pid=PID, pv1=PV1, number="1"):
    answer = post_message(service, er7(msh(msh_10=number), pid, pv1, OBR, *segments)).data
    assert b"|AA|" in answer, answer


def dg1(*terms):
    return [f"DG1|{number}||{term}^x^HPO|||F" for number, term in enumerate(terms, 1)]


def asked(*terms, **patient):
    known = {**fixture()["prefetch"]["patient"], "identifier": [{"system": SYSTEM, "value": "4711"}], **patient}
    subject = {"subject": {"reference": f"Patient/{PATIENT}"}}
    listed = [a_condition(term, id=f"c{number}", **subject) for number, term in enumerate(terms)]
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "context": {"userId": "Practitioner/1", "patientId": PATIENT},
        "prefetch": {"patient": known, "conditions": bundle(*listed)},
    }


def the_card(service, body):
    response = post(service.client, body, PATH)
    assert response.status_code == 200, response.text
    [card] = json.loads(response.data)["cards"]
    return card


def test_diagnoses_and_coded_observations_of_messages_are_ranked(hospital):
    send(hospital, *dg1(*MARFANOID[:2]))
    send(
        hospital, obx(f"{MARFANOID[2]}^x^HPO", "POS", "", "ST"), obx(f"{MARFANOID[3]}^x^HPO", "Y", "", "ST"), number="2"
    )

    card = the_card(hospital, asked())

    assert "5, from 4 findings" in card["summary"]
    assert "**Marfan syndrome**" in card["detail"]
    assert BY_MESSAGE in card["detail"]


def test_findings_of_the_call_come_alone(hospital):
    send(hospital, *dg1("HP:0001250", "HP:0001249", "HP:0001263"))

    card = the_card(hospital, asked(*MARFANOID))

    assert "from 4 findings" in card["summary"]
    assert BY_MESSAGE not in card["detail"]


def test_codes_of_messages_without_a_meaning_are_counted(hospital):
    send(hospital, *dg1(*MARFANOID), "DG1|9||E11.9^Diabetes^I10|||F")

    card = the_card(hospital, asked())

    assert "1 codes or names" in card["detail"]


@pytest.mark.parametrize(
    ("pid", "patient"),
    [
        (PID.replace("19541102", "19541103"), {}),
        (PID.replace("|M", "|F"), {}),
        (PID.replace("19541102", ""), {}),
        (PID, {"birthDate": None}),
        (PID, {"gender": "unknown"}),
    ],
    ids=["other birth date", "other sex", "no birth date sent", "no birth date known", "sex unknown"],
)
def test_findings_of_somebody_else_perhaps_are_left_out_and_said(hospital, pid, patient):
    send(hospital, *dg1(*MARFANOID), pid=pid)

    body = asked(**patient)
    body["prefetch"]["patient"] = {k: v for k, v in body["prefetch"]["patient"].items() if v is not None}
    card = the_card(hospital, body)

    assert "not enough findings (0 of at least 3)" in card["summary"]
    assert NOT_AGREED in card["detail"]


def test_another_identifier_finds_nothing_and_says_nothing(hospital):
    send(hospital, *dg1(*MARFANOID))

    card = the_card(hospital, asked(identifier=[{"system": SYSTEM, "value": "4712"}]))

    assert "not enough findings (0 of at least 3)" in card["summary"]
    assert BY_MESSAGE not in card["detail"] + NOT_AGREED
    assert NOT_AGREED not in card["detail"]


def test_a_message_of_a_test_patient_is_not_ranked(hospital):
    post_message(hospital, er7(msh(msh_11="T"), PID, PV1, OBR, *dg1(*MARFANOID)))

    assert "not enough findings (0 of at least 3)" in the_card(hospital, asked())["summary"]


def test_what_a_newer_message_takes_back_is_not_ranked(hospital):
    send(hospital, *dg1(*MARFANOID))
    deleted = f"DG1|1||{MARFANOID[0]}^x^HPO|||F" + "|" * 15 + "D"
    send(hospital, deleted, number="2")

    assert "from 3 findings" in the_card(hospital, asked())["summary"]


def test_findings_of_a_record_that_was_joined_are_the_patients(hospital):
    send(hospital, *dg1(*MARFANOID), pid=PID.replace("4711", "4699"))
    merge = er7(msh(msh_9="ADT^A40^ADT_A39", msh_10="7"), PID, "MRG|4699^^^HOSP^MR")
    assert b"|AA|" in post_message(hospital, merge).data

    assert "from 4 findings" in the_card(hospital, asked())["summary"]
