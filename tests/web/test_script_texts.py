"""Scripts sent as text at every door: the pages that show what was sent show letters."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import escape

import pytest
from flask.testing import FlaskClient

from cds_service.cdshooks.override_reasons import OWN_REASONS
from tests.conftest import Service
from tests.hl7.builders import OBR, PV1, er7, msh, obx
from tests.web.calls import HEART_RATE, bundle, fixture, observation, patient, post
from tests.web.feedback_calls import FEEDBACK, overridden, report, stored
from tests.web.pages import FILLED, send

# It ends an attribute, and stands as an element wherever it is not escaped.
TEXT = '"><img src=x onerror=alert(1)><script>alert(1)</script>'
SCALE = {"spo2_scale": "2"}


def by_form(browser: FlaskClient, text: str) -> None:
    typed = dict.fromkeys(("patient_name", "patient_id", "complaint", "spo2_scale_by"), text)
    shown = send(browser, "/triage", **(FILLED | SCALE | typed))
    assert shown.status_code == 200, shown.text
    harmless(shown.text, text)


def by_hook(browser: FlaskClient, text: str) -> None:
    body = fixture()
    body["prefetch"]["patient"]["name"] = [{"family": text, "given": [text]}]
    [card] = post(browser, body).get_json()["cards"]
    assert report(browser, overridden(card["uuid"], "mild", userComment=text), path=FEEDBACK).status_code == 200


def by_bundle(browser: FlaskClient, text: str) -> None:
    sent = bundle(patient(name=[{"text": text}]), observation(HEART_RATE, 128, note=[{"text": text}]))
    assert post(browser, {**sent, "type": "collection"}, "/fhir/$assess").status_code == 200


def by_message(browser: FlaskClient, text: str) -> None:
    sent = er7(msh(), f"PID|1||P1^^^HOSP^MR||{text}^{text}||19541102|F", PV1, OBR, obx())
    answer = browser.post("/hl7/v2", data=sent, content_type="application/hl7-v2")
    assert b"MSA|AA|" in answer.data


def by_record(browser: FlaskClient, text: str) -> None:
    record = {"age": 70, "heart_rate": 128, "patient_id": text, "complaint": text}
    assert post(browser, record, "/predict").status_code == 200


DOORS: tuple[Callable[[FlaskClient, str], None], ...] = (by_form, by_hook, by_bundle, by_message, by_record)


def harmless(page: str, text: str) -> None:
    """The page has the text as letters, and nowhere as it was sent."""
    assert text not in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert escape(text).replace("&quot;", "&#34;") in page


@pytest.mark.parametrize("door", DOORS, ids=lambda one: one.__name__)
def test_a_script_sent_as_text_is_shown_as_text(service: Service, door: Callable[[FlaskClient, str], None]) -> None:
    browser, text = service.client, TEXT
    door(browser, text)
    [prediction] = [str(one) for one in stored(service, "SELECT id FROM predictions")]
    prediction = re.sub(r"(.{8})(.{4})(.{4})(.{4})(.{12})", r"\1-\2-\3-\4-\5", prediction)
    address, case = f"/console/predictions/{prediction}", f"/review/{prediction}"

    blind = browser.get(case)
    said = {"author": "Practitioner/7", "category": "mild", "comment": text}
    assert post(browser, said, f"/predictions/{prediction}/labels").status_code == 200
    refused = [
        send(browser, f"{address}/labels", address, comment=text, diagnosis=text),
        send(browser, f"{address}/labels", address, comment=text, coding=text),
        send(browser, case, case, comment=text, diagnosis=text),
    ]
    answered = send(browser, case, case, category="acute", comment=text)
    assert answered.status_code == 303
    shown = [browser.get(address), browser.get(case)]
    if "Was this wrong?" in shown[0].text:
        refused.append(send(browser, f"{address}/feedback", address, comment=text))
        reason = {"reason": f"{OWN_REASONS}|mild", "comment": text}
        assert send(browser, f"{address}/feedback", address, **reason).status_code == 303
        shown.append(browser.get(address))

    for page in (*refused, *shown):
        harmless(page.text, text)
    assert text not in blind.text
    for program in (f"/predictions/{prediction}", f"/predictions/{prediction}/labels"):
        answer = browser.get(program)
        assert answer.mimetype == "application/json"
        assert json.loads(answer.data)
