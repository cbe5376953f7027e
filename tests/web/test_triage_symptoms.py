"""Symptoms in the triage form: typed, asked back, added and removed, and the ranking they give."""

from __future__ import annotations

import re
from typing import Any, NoReturn

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from cds_service.domain.mode import Mode
from cds_service.errors import Unavailable
from cds_service.storage.prediction_log import PredictionEntry, StoredReply
from cds_service.web.console import outcome
from cds_service.web.console.spanish_findings import ENGLISH
from tests.conftest import Service
from tests.web.pages import FILLED, send, text_of

MARFAN = "Tall stature, Arachnodactyly\nEctopia lentis\naortic root aneurysm"
SEIZURE, FEVER = "HP:0001250", "HP:0001945"


@pytest.fixture
def browser(service: Service) -> FlaskClient:
    assert service.runtime.beside.rare.wait(60)
    return service.app.test_client()


def rows(service: Service) -> list[Any]:
    with service.runtime.engine.connect() as connection:
        return list(connection.execute(text("SELECT id, service, patient_key FROM predictions ORDER BY service")))


def press(browser: FlaskClient, action: str, **fields: Any) -> str:
    """The page after a button of the symptoms was pressed."""
    shown = send(browser, "/triage/symptoms", "/triage", symptom=action, **fields)
    assert shown.status_code == 200
    return shown.get_data(as_text=True)


def terms(page: str, side: str) -> list[str]:
    return re.findall(rf'name="{side}_term" value="([^"]*)"', page)


def test_symptoms_give_rare_diseases_to_consider_stored_beside_the_prediction(
    service: Service, browser: FlaskClient
) -> None:
    page = send(browser, "/triage", **FILLED, observed=MARFAN, excluded="Seizure")
    said = text_of(page)

    assert "NEWS2 9" in said
    assert "Rare diseases to consider (not a diagnosis): 10, from 4 findings" in said
    assert "Marfan syndrome" in said
    assert "Looked for and not present: Seizure" in said.replace(" :", ":")
    assert "%" not in said.partition("Rare diseases to consider (not")[2]
    assert [row.service for row in rows(service)] == ["rare-diseases", "triage"]
    assert len({row.patient_key for row in rows(service)}) == 1


def test_the_same_form_with_symptoms_is_stored_once(service: Service, browser: FlaskClient) -> None:
    first, second = (send(browser, "/triage", **FILLED, observed=MARFAN, key="one form") for _ in range(2))
    assert len(rows(service)) == 2
    assert "Marfan syndrome" in text_of(first)
    assert "Marfan syndrome" in text_of(second)


def test_what_cannot_be_ranked_is_not_half_stored(
    service: Service, browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> NoReturn:
        raise Unavailable("the knowledge base is away", where="rare")

    with monkeypatch.context() as broken:
        broken.setattr(outcome, "rank_from", away)
        page = send(browser, "/triage", **FILLED, observed=MARFAN, key="one form")
    assert (page.status_code, rows(service)) == (503, [])

    send(browser, "/triage", **FILLED, observed=MARFAN, key="one form")
    assert [row.service for row in rows(service)] == ["rare-diseases", "triage"]


def test_what_was_stored_before_the_writer_went_away_is_stored_once(
    service: Service, browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(entry: PredictionEntry) -> StoredReply:
        if entry.service == "rare-diseases":
            raise Unavailable("the writer is away", where="storage")
        return submit(entry)

    submit = service.runtime.writer.submit
    with monkeypatch.context() as broken:
        broken.setattr(service.runtime.writer, "submit", away)
        page = send(browser, "/triage", **FILLED, observed=MARFAN, key="one form")
    [key] = re.findall(r'name="key" value="([^"]*)"', page.text)
    assert (page.status_code, len(rows(service))) == (503, 1)

    assert send(browser, "/triage", **FILLED, observed=MARFAN, key=key).status_code == 200
    assert [row.service for row in rows(service)] == ["rare-diseases", "triage"]


def test_too_few_findings_say_what_to_look_for(browser: FlaskClient) -> None:
    said = text_of(send(browser, "/triage", **FILLED, observed="Arachnodactyly\nEctopia lentis"))
    assert "not enough findings (2 of at least 3)" in said
    assert "To look for next" in said


def test_what_is_no_findings_name_is_asked_back_and_nothing_is_stored(service: Service, browser: FlaskClient) -> None:
    asked = send(browser, "/triage", **FILLED, observed="fever, seizur")
    page = asked.get_data(as_text=True)

    assert (asked.status_code, rows(service)) == (422, [])
    assert terms(page, "observed") == [FEVER]
    assert "“seizur”: which finding is meant?" in text_of(asked)
    assert f'value="add observed {SEIZURE} seizur"' in page
    assert 'value="128"' in page


def test_words_nothing_is_like_are_kept_and_said(browser: FlaskClient) -> None:
    shown = send(browser, "/triage", **FILLED, observed="qwertzuiop")
    assert shown.status_code == 200
    assert "qwertzuiop (kept as words, not used)" in text_of(shown).replace("( ", "(").replace(" )", ")")
    assert "qwertzuiop: no finding has this name" in text_of(shown)


def test_a_press_adds_what_was_meant_and_takes_the_words_out_of_the_text(browser: FlaskClient) -> None:
    page = press(browser, f"add observed {SEIZURE} seizur", **FILLED, observed="seizur\ncoug")
    assert terms(page, "observed") == [SEIZURE]
    assert ">coug</textarea>" in page
    assert 'value="38,4"' in page


def test_a_finding_is_present_or_not_and_never_both(browser: FlaskClient) -> None:
    page = press(browser, f"add excluded {SEIZURE} seizure", observed_term=SEIZURE, excluded="seizure")
    assert (terms(page, "observed"), terms(page, "excluded")) == ([], [SEIZURE])


@pytest.mark.parametrize("value", [SEIZURE, "=odd words"])
def test_a_symptom_is_removed(browser: FlaskClient, value: str) -> None:
    page = press(browser, f"remove observed {value}", observed_term=[SEIZURE, "=odd words"])
    assert len(terms(page, "observed")) == 1
    assert value not in terms(page, "observed")


@pytest.mark.parametrize("typed", ["Fiebre", "convulsión", "dolor de cabeza"])
def test_common_findings_are_known_by_spanish_words(browser: FlaskClient, typed: str) -> None:
    shown = send(browser, "/triage", observed=typed, identity_unknown="yes")
    assert shown.status_code == 200
    assert len(terms(shown.get_data(as_text=True), "observed")) == 1


def test_spanish_words_are_offered_too(browser: FlaskClient) -> None:
    page = press(browser, "find observed", observed="dolor de ca")
    assert "(dolor de cabeza)" in page


def test_each_spanish_word_stands_for_a_finding(service: Service) -> None:
    assert service.runtime.beside.rare.wait(60)
    known = service.runtime.beside.rare.get().words
    assert [name for name in ENGLISH.values() if known.term(name) is None] == []
    assert [word for word in ENGLISH if known.term(word) is not None] == []


def test_what_a_silent_tenant_gets_is_stored_and_not_shown(
    service: Service, browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome, "mode_of", lambda actor: Mode.SILENT)
    said = text_of(send(browser, "/triage", **FILLED, observed=MARFAN))
    assert "This site runs silently" in said
    assert "NEWS2 9" not in said
    assert "Marfan syndrome" not in said
    assert len(rows(service)) == 2


def test_words_are_kept_when_none_of_the_findings_is_meant(browser: FlaskClient) -> None:
    page = press(browser, "keep observed seizur", observed="seizur")
    assert terms(page, "observed") == ["=seizur"]


def test_findings_are_offered_while_the_last_symptom_is_typed(browser: FlaskClient) -> None:
    page = press(browser, "find observed", observed="fever\nSeiz")
    assert f'value="add observed {SEIZURE} Seiz"' in page
    assert ">fever\nSeiz</textarea>" in page


@pytest.mark.parametrize("action", ["", "add nowhere x", "add observed HP:9999999 x", "add observed <b>"])
def test_a_button_that_is_not_of_the_form_does_nothing(browser: FlaskClient, action: str) -> None:
    assert send(browser, "/triage/symptoms", "/triage", symptom=action).status_code == 400


def test_what_is_sent_as_a_term_and_is_none_is_left_out(browser: FlaskClient) -> None:
    page = press(browser, "find observed", observed_term=["HP:9999999", "<script>", "=<script>", "="])
    assert terms(page, "observed") == ["=&lt;script&gt;"]


def test_while_the_knowledge_base_loads_the_vital_signs_are_assessed_and_symptoms_stay(
    service: Service, browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.runtime.beside.rare, "_loaded", None)
    shown = send(browser, "/triage", **FILLED, observed="fever", observed_term=[SEIZURE, "=words"])
    page = shown.get_data(as_text=True)

    assert "NEWS2 9" in text_of(shown)
    assert "Rare diseases cannot be ranked now" in text_of(shown)
    assert terms(page, "observed") == [SEIZURE, "=words"]
    assert ">fever</textarea>" in page
    assert [row.service for row in rows(service)] == ["triage"]


def test_spanish_pages_ask_in_spanish(browser: FlaskClient) -> None:
    said = text_of(send(browser, "/triage", "/triage?language=es", **FILLED, observed="seizur"))
    assert "¿qué hallazgo es?" in said
