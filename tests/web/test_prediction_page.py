"""The page of a prediction: opened from a card, with its sources, and what was true into the ledger."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest
from flask.testing import FlaskClient

from cds_service.cdshooks.override_reasons import OWN_REASONS
from cds_service.domain.quarantine import RULES
from cds_service.services.stored import Outcome
from cds_service.web.console.label_form import HELD_BACK
from cds_service.web.console.prediction_actions import PARTS
from tests.conftest import Service
from tests.databases import Database
from tests.web.pages import FILLED, form_token, send, text_of

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def browser(service: Service) -> FlaskClient:
    return service.app.test_client()


@pytest.fixture
def address(browser: FlaskClient) -> str:
    found = re.search(r"/console/predictions/[0-9a-f-]+", send(browser, "/triage", **FILLED).get_data(as_text=True))
    assert found is not None
    return found[0]


def test_a_cards_link_leads_a_browser_to_the_page_and_a_program_to_the_document(
    browser: FlaskClient, address: str
) -> None:
    link = address.removeprefix("/console")
    assert browser.get(link, headers=HTML).location == f"/base{address}"
    assert browser.get(link).mimetype == "application/json"
    assert browser.get(link, headers={**HTML, "Accept": "application/json"}).mimetype == "application/json"


def test_the_page_says_where_each_value_came_from(browser: FlaskClient, address: str) -> None:
    said = text_of(browser.get(address))
    assert "Ada Ejemplo · MRN-77 · 1955-03-02" in said
    assert re.search(r"temperature 38.4 °C 08:40 form 38.4 Cel", said)
    assert "temperatura 38,4 °C 08:40 formulario 38.4 Cel" in text_of(browser.get(f"{address}?language=es"))


def test_a_read_of_the_page_is_in_the_audit_log(service: Service, browser: FlaskClient, address: str) -> None:
    browser.get(address)
    with service.runtime.engine.connect() as connection:
        actions = connection.exec_driver_sql("SELECT action, actor FROM audit ORDER BY seq").all()
    assert ("prediction-read", "local") in [tuple(row) for row in actions]


def test_what_was_true_is_in_the_ledger_and_on_the_page(browser: FlaskClient, address: str) -> None:
    assert "Nobody has said yet" in text_of(browser.get(address))
    sent = send(
        browser,
        f"{address}/labels",
        address,
        category="acute",
        coding="http://hl7.org/fhir/sid/icd-10-cm|J18.9",
        icu_admission="no",
        saw_prediction="yes",
        comment="chest film <b>",
    )
    assert (sent.status_code, sent.location) == (303, f"/base{address}#labels")

    page = browser.get(address)
    said = "local acutely ill, J18.9 (ICD-10-CM), not admitted to intensive care had seen the prediction"
    assert f"{said} chest film &lt;b&gt; is test data" in text_of(page)
    document = browser.get(f"{address.removeprefix('/console')}/labels").get_json()
    assert [(label["category"], label["saw_prediction"]) for label in document["labels"]] == [("acute", "yes")]


@pytest.mark.parametrize(
    "fields", [{}, {"coding": "nowhere|J18.9"}, {"category": "well"}, {"coding": "???"}, {"icu_admission": "perhaps"}]
)
def test_what_is_no_label_is_refused_on_the_page(browser: FlaskClient, address: str, fields: dict[str, str]) -> None:
    refused = send(browser, f"{address}/labels", address, **fields)
    assert refused.status_code == 400
    assert "Not stored" in text_of(refused)


@pytest.mark.parametrize("address", ["01a1fde7-02c0-7e80-915b-97e54c903605", "nonsense"])
def test_what_is_not_there_for_this_person_is_not_found(browser: FlaskClient, address: str) -> None:
    for part, headers in (("", {}), ("/diagnoses", {"HX-Request": "true"})):
        assert browser.get(f"/console/predictions/{address}{part}", headers=headers).status_code == 404
    token = form_token(browser.get("/triage").get_data(as_text=True))
    sent = browser.post(f"/console/predictions/{address}/labels", data={"form_token": token, "category": "mild"})
    assert sent.status_code == 404
    assert sent.mimetype == "text/html"


def own_label(browser: FlaskClient, address: str) -> str:
    found = re.search(r'name="supersedes" value="([^"]+)"', browser.get(address).get_data(as_text=True))
    assert found is not None
    return found[1]


def test_a_second_answer_of_the_same_person_is_an_edit_of_the_first(browser: FlaskClient, address: str) -> None:
    send(browser, f"{address}/labels", address, category="acute", icu_admission="yes")
    page = browser.get(address).get_data(as_text=True)
    assert '<option value="acute" selected>' in page
    assert '<option value="yes" selected>' in page

    send(browser, f"{address}/labels", address, category="mild", supersedes=own_label(browser, address))
    send(browser, f"{address}/labels", address, withdraws=own_label(browser, address))

    document = browser.get(f"{address.removeprefix('/console')}/labels").get_json()
    assert sorted(label["kind"] for label in document["labels"]) == ["label", "label", "withdrawal"]
    assert "supersedes" not in browser.get(address).get_data(as_text=True)


@pytest.mark.parametrize(("form", "fields"), [("rescore", {}), ("feedback", {"reason": "", "comment": "walked out"})])
def test_another_form_of_the_page_leaves_the_answer_to_be_edited(
    browser: FlaskClient, address: str, form: str, fields: dict[str, str]
) -> None:
    send(browser, f"{address}/labels", address, category="acute", comment="x-ray")
    own = own_label(browser, address)

    page = send(browser, f"{address}/{form}", address, **fields).get_data(as_text=True)

    assert f'name="supersedes" value="{own}"' in page
    assert f'name="withdraws" value="{own}"' in page
    assert '<option value="acute" selected>' in page
    comments = dict(re.findall(r'<input id="([\w-]+)" name="comment"[^>]* value="([^"]*)"', page))
    assert comments == {"comment": "", "feedback-comment": fields.get("comment", "")}


def test_why_an_answer_is_held_back_is_said_in_the_persons_language(browser: FlaskClient, address: str) -> None:
    send(browser, f"{address}/labels", address, category="not-ill")

    assert "is test data (does not fit NEWS2)" in text_of(browser.get(address))
    assert "(no concuerda con NEWS2)" in text_of(browser.get(f"{address}?language=es"))
    assert list(HELD_BACK) == [name for name, _ in RULES]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("neumonía", "J18 pneumonia (ICD-10)"),
        ("J45.90", "J45.90 (ICD-10-CM)"),
        ("asth", "J45 asthma (ICD-10)"),
        ("22298006", "22298006 (SNOMED CT)"),
        ("qqqq", "Nothing found"),
        ("<script>", "Nothing found"),
    ],
)
def test_the_code_of_a_diagnosis_is_found_while_typing(
    browser: FlaskClient, address: str, typed: str, found: str
) -> None:
    asked = {"query_string": {"diagnosis": typed}}
    shown = browser.get(f"{address}/diagnoses", headers={"HX-Request": "true"}, **asked)
    assert browser.get(f"{address}/diagnoses", **asked).location == f"/base{address}"
    assert found in text_of(shown)
    assert "<script>" not in shown.get_data(as_text=True)


def test_a_search_sent_with_the_form_keeps_what_was_typed_and_stores_nothing(
    browser: FlaskClient, address: str
) -> None:
    for sent in ({"search": "1"}, {}):
        shown = send(
            browser, f"{address}/labels", address, diagnosis="pneum", category="acute", comment="x-ray", **sent
        )
        assert shown.status_code == 200
        assert "J18 pneumonia (ICD-10)" in text_of(shown)
        assert 'value="x-ray"' in shown.get_data(as_text=True)
    assert browser.get(f"{address.removeprefix('/console')}/labels").get_json()["labels"] == []


def test_the_prediction_is_scored_again_by_its_own_version_and_audited(
    service: Service, browser: FlaskClient, address: str
) -> None:
    shown = text_of(send(browser, f"{address}/rescore", address))
    assert "Scored again with its own version 1.0.0: the same to the last bit." in shown
    rows = Database.rows(service.stored, "SELECT detail FROM audit WHERE action = 'prediction-rescore'")
    assert rows == [('{"model":"1.0.0","differing":[]}',)]


def test_what_comes_out_differently_is_said(service: Service, browser: FlaskClient, address: str) -> None:
    with closing(sqlite3.connect(service.database)) as database, database:
        changed = 'CAST(replace(CAST(outcome AS TEXT), \'"band":"high"\', \'"band":"low"\') AS BLOB)'
        database.execute(f"UPDATE predictions SET outcome = {changed}")
    shown = text_of(send(browser, f"{address}/rescore", address))
    assert re.search(r"it differs in the risk\. Risk of 100: [\d.]+ then, [\d.]+ now", shown)
    browser.get(f"{address}?language=es")
    assert "difiere en el riesgo." in text_of(send(browser, f"{address}/rescore", address))
    assert tuple(PARTS) == Outcome.__struct_fields__


def test_that_it_was_wrong_is_feedback_on_its_card_and_a_label_where_the_reason_is_a_state(
    browser: FlaskClient, address: str
) -> None:
    assert send(browser, f"{address}/feedback", address, reason="").status_code == 400
    sent = send(browser, f"{address}/feedback", address, reason=f"{OWN_REASONS}|mild", comment="walked out")
    assert (sent.status_code, sent.location) == (303, f"/base{address}#feedback")

    shown = text_of(browser.get(address))
    assert "Last said of it: set aside: Assessed by me: mildly ill." in shown
    document = browser.get(f"{address.removeprefix('/console')}/labels").get_json()
    assert [(label["source"], label["category"]) for label in document["labels"]] == [("feedback", "mild")]
    assert document["outcome"]["reason"]["code"] == "mild"


def test_similar_cases_say_what_others_were_and_never_who(browser: FlaskClient, address: str) -> None:
    assert "There is none yet" in text_of(browser.get(address))
    send(browser, f"{address}/labels", address, category="acute", icu_admission="yes")
    other = {**FILLED, "patient_id": "MRN-78", "patient_name": "Bea Otra", "temperature": "38,1", "spo2": "92"}
    found = re.search(r"/console/predictions/[0-9a-f-]+", send(browser, "/triage", **other).get_data(as_text=True))
    assert found is not None

    shown = text_of(browser.get(found[0]))
    similar = shown.partition("How like this one")[2].partition("Other patients of this hospital")[0]

    assert similar.split() == ["acutely", "ill,", "admitted", "to", "intensive", "care", "9", "70–79", "very", "alike"]
    assert "Ada Ejemplo" not in shown
    assert "There is none yet" in text_of(browser.get(address))


def test_who_comes_back_to_where_a_form_was_sent_is_led_to_the_page(browser: FlaskClient, address: str) -> None:
    assert browser.get(f"{address}/labels").location == f"/base{address}"
