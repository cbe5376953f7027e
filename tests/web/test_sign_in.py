"""Signing in at a browser: who is let in, for how long, and what is written of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from flask.testing import FlaskClient

from cds_service.domain.codes import CodeTables
from cds_service.errors import BadRequest, CdsError, Conflict, TooManyRequests, Unavailable
from cds_service.inference.predictor import Predictor
from cds_service.web.console import triage
from tests.conftest import Clock, Service, started
from tests.web.pages import PASSWORD, form_token, send, sign_in, text_of
from tests.web.test_credentials import add, audited, cds

BASE = "/base"  # the path of the public address the tests are served under


@pytest.fixture
def guarded(
    tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> Iterator[Service]:
    with started(tmp_path, empty_database, predictor, tables, CDS_CLIENT_AUTH="required") as service:
        add(service)
        yield service


@pytest.fixture
def browser(guarded: Service) -> FlaskClient:
    return guarded.app.test_client()


def test_the_page_that_was_asked_for_comes_after_signing_in(browser: FlaskClient) -> None:
    asked = browser.get("/triage?language=es")
    assert (asked.status_code, asked.location) == (303, f"{BASE}/login?next={BASE}/triage?language%3Des")

    shown = sign_in(browser, "ada", next=f"{BASE}/triage?language=es")

    assert (shown.status_code, shown.location) == (303, f"{BASE}/triage?language=es")
    assert browser.get("/triage").status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        f"{BASE}/triage\r\nSet-Cookie: a=b",
        f"{BASE}/triage\x00",
        "javascript:alert(1)",
        "",
        "triage",
    ],
)
def test_nobody_is_sent_to_another_site(browser: FlaskClient, address: str) -> None:
    assert sign_in(browser, "ada", next=address).location == f"{BASE}/"


def test_the_language_that_was_chosen_stays_after_signing_in_and_out(browser: FlaskClient) -> None:
    browser.get("/login?language=es")
    sign_in(browser, "ada")
    signed_in = browser.get("/triage")
    send(browser, "/logout", "/triage")
    assert ['<html lang="es">' in page.text for page in (signed_in, browser.get("/login"))] == [True, True]


def test_another_language_is_the_same_page(browser: FlaskClient) -> None:
    card = f"{BASE}/console/predictions/x?a=1&b=2"
    link = 'href="?next=%2Fbase%2Fconsole%2Fpredictions%2Fx%3Fa%3D1%26b%3D2&amp;language=es"'
    address = browser.get("/triage").location.removeprefix(BASE)
    assert 'href="?next=%2Fbase%2Ftriage&amp;language=es"' in browser.get(address).text
    assert link in browser.get("/login", query_string={"next": card, "language": "en"}).text
    assert link in sign_in(browser, "ada", "wrong", next=card).text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Conflict("came before"), "it does not fit what others did meanwhile"),
        (TooManyRequests("slowly", retry_after_s=7), "Too many attempts: wait 7 seconds."),
        (BadRequest("what?"), "The request could not be read."),
        (Unavailable("away"), "The service cannot answer now."),
    ],
    ids=lambda one: getattr(one, "status", ""),
)
def test_what_went_wrong_is_said_and_the_person_can_go_on(
    browser: FlaskClient, monkeypatch: pytest.MonkeyPatch, error: CdsError, said: str
) -> None:
    def fails(*_: object, **__: object) -> NoReturn:
        raise error

    sign_in(browser, "ada")
    monkeypatch.setattr(triage, "_form_page", fails)
    page = browser.get("/triage")
    assert page.status_code == error.status
    assert said in text_of(page)
    assert (f'href="{BASE}/review"' in page.text, f'action="{BASE}/logout"' in page.text) == (True, True)


def test_a_page_for_others_leaves_one_signed_in(browser: FlaskClient) -> None:
    sign_in(browser, "ada")
    assert f'action="{BASE}/logout"' in browser.get("/dashboard").text


@pytest.mark.parametrize(("name", "password"), [("ada", "wrong"), ("nobody", PASSWORD), ("a b", PASSWORD), ("", "")])
def test_who_is_not_proven_is_told_nothing_more(
    guarded: Service, browser: FlaskClient, name: str, password: str
) -> None:
    refused = sign_in(browser, name, password)

    assert refused.status_code == 401
    assert "Name and password do not fit" in text_of(refused)
    assert browser.get("/triage").status_code == 303
    assert [action for action, *_ in audited(guarded)][-1] == "refuse"


def test_guessing_is_slowed_down(browser: FlaskClient) -> None:
    statuses = [sign_in(browser, "ada", "wrong").status_code for _ in range(7)]
    assert statuses[-1] == 429
    assert sign_in(browser, "ada").status_code == 429


def test_signing_in_and_out_are_in_the_audit_log(guarded: Service, browser: FlaskClient) -> None:
    sign_in(browser, "ada")
    assert send(browser, "/logout", "/triage").location == f"{BASE}/login"

    assert [(action, actor) for action, actor, *_ in audited(guarded)][-2:] == [("login", "ada"), ("logout", "ada")]
    assert browser.get("/triage").status_code == 303


def test_a_cookie_that_was_copied_counts_no_more_once_its_session_was_signed_out_of(
    guarded: Service, browser: FlaskClient, clock: Clock
) -> None:
    sign_in(browser, "ada")
    cookie = browser.get_cookie("__Host-cds")
    assert cookie is not None
    thief, elsewhere = guarded.app.test_client(), guarded.app.test_client()
    thief.set_cookie("__Host-cds", cookie.value)
    sign_in(elsewhere, "ada")
    assert thief.get("/triage").status_code == 200

    send(browser, "/logout", "/triage")

    assert thief.get("/triage").status_code == 303
    assert elsewhere.get("/triage").status_code == 200  # her other tablet
    clock.moment += timedelta(hours=13)
    sign_in(browser, "ada")
    send(browser, "/logout", "/triage")
    assert guarded.stored.rows("SELECT count(*) FROM ended_sessions") == [(1,)]


@pytest.mark.parametrize(
    ("apart", "times", "status"), [(14, 20, 200), (16, 1, 303), (14, 52, 303)], ids=["busy", "idle", "a shift"]
)
def test_a_session_ends_when_nobody_is_there_and_with_the_shift(
    browser: FlaskClient, clock: Clock, apart: int, times: int, status: int
) -> None:
    sign_in(browser, "ada")
    for _ in range(times):
        clock.moment += timedelta(minutes=apart)
        found = browser.get("/triage").status_code
    assert found == status


@pytest.mark.parametrize("change", ["disable", "password"])
def test_a_session_ends_with_the_account_or_the_password(guarded: Service, browser: FlaskClient, change: str) -> None:
    sign_in(browser, "ada")
    cds(guarded, "users", change, "ada", typed="another horse battery staple\n")
    assert browser.get("/triage").status_code == 303


def test_a_role_that_was_taken_away_counts_at_once(guarded: Service, browser: FlaskClient) -> None:
    sign_in(browser, "ada")
    cds(guarded, "users", "role", "ada", "--role", "steward")
    assert browser.get("/triage").status_code == 403


def test_a_form_of_another_session_is_refused(guarded: Service, browser: FlaskClient) -> None:
    sign_in(browser, "ada")
    others = form_token(guarded.app.test_client().get("/login").get_data(as_text=True))
    for token in ("", "x", others):
        assert browser.post("/triage", data={"form_token": token}).status_code == 403
        assert browser.post("/logout", data={"form_token": token}).status_code == 403


def test_a_cookie_somebody_made_up_proves_nothing(browser: FlaskClient) -> None:
    browser.set_cookie("__Host-cds", "eyJuYW1lIjoiYWRhIn0.aaaa.bbbb")
    assert browser.get("/triage").status_code == 303


def test_the_cookie_goes_nowhere_else_and_no_script_sees_it(browser: FlaskClient) -> None:
    cookie = browser.get("/login").headers["Set-Cookie"]
    assert cookie.startswith("__Host-cds=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
