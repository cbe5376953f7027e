"""The page of a prediction: opened from a card, with its sources, and what was true into the ledger."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from tests.conftest import Service
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
    assert re.search(r"temperature 38.4 °C 38.4 Cel 08:40 form", said)


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
        system="http://hl7.org/fhir/sid/icd-10-cm",
        code="J18.9",
        saw_prediction="yes",
        comment="chest film <b>",
    )
    assert (sent.status_code, sent.location) == (303, f"/base{address}")

    page = browser.get(address)
    assert re.search(r"local acutely ill J18.9 chest film &lt;b&gt; is test data", text_of(page))
    document = browser.get(f"{address.removeprefix('/console')}/labels").get_json()
    assert [(label["category"], label["saw_prediction"]) for label in document["labels"]] == [("acute", "yes")]


@pytest.mark.parametrize("fields", [{}, {"code": "J18.9", "system": "nowhere"}, {"category": "well"}, {"code": "???"}])
def test_what_is_no_label_is_refused_on_the_page(browser: FlaskClient, address: str, fields: dict[str, str]) -> None:
    refused = send(browser, f"{address}/labels", address, **fields)
    assert refused.status_code == 400
    assert "Not stored" in text_of(refused)


@pytest.mark.parametrize("address", ["01a1fde7-02c0-7e80-915b-97e54c903605", "nonsense"])
def test_what_is_not_there_for_this_person_is_not_found(browser: FlaskClient, address: str) -> None:
    assert browser.get(f"/console/predictions/{address}").status_code == 404
    token = form_token(browser.get("/triage").get_data(as_text=True))
    sent = browser.post(f"/console/predictions/{address}/labels", data={"form_token": token, "category": "mild"})
    assert sent.status_code == 404
    assert sent.mimetype == "text/html"
