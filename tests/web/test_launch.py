"""SMART App Launch against a little EHR on loopback: what opens a card's prediction, and everything that does not."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.domain.codes import CodeTables
from cds_service.fhir.client import FhirClient
from cds_service.inference.predictor import Predictor
from tests.conftest import PUBLIC_URL, Clock, Service, started
from tests.web.calls import PATIENT, card, fixture
from tests.web.ehr import ACCESS_TOKEN, CLIENT_ID, SECRET, Ehr, an_ehr
from tests.web.pages import send, sign_in, text_of
from tests.web.test_credentials import add
from tests.web.tokens import a_token, clients_file, elliptic_key, rsa_key

TLS = ssl.create_default_context()


@dataclass(frozen=True)
class Ward:
    """The service, the EHR it is registered at, and the card of the patient who is open there."""

    service: Service
    ehr: Ehr
    card: dict[str, Any]

    @property
    def page(self) -> str:
        return f"/console/predictions/{self.card['uuid']}"

    def browser(self) -> FlaskClient:
        return self.service.app.test_client()

    def refusals(self) -> list[tuple[str, str]]:
        """Address and reason of what was refused."""
        rows = self.service.stored.rows("SELECT object_id, detail FROM audit WHERE action = 'refuse' ORDER BY seq")
        return [(address, json.loads(detail)["reason"]) for address, detail in rows]


@pytest.fixture(scope="module")
def _held() -> Iterator[tuple[Clock, Ehr]]:
    clock = Clock()
    with an_ehr(lambda: clock.moment) as ehr:
        yield clock, ehr


@pytest.fixture
def ehr(_held: tuple[Clock, Ehr], clock: Clock) -> Ehr:
    """As it is before anybody told it to go wrong."""
    old = _held[1]
    fresh = Ehr(old.port, lambda: clock.moment)
    vars(old).update(vars(fresh))
    return old


@pytest.fixture
def ward(
    tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock, ehr: Ehr
) -> Iterator[Ward]:
    path = clients_file(tmp_path, more=f"smart = {{ iss = '{ehr.iss}', client_id = '{CLIENT_ID}' }}")
    more = {"CDS_CLIENT_AUTH": "required", "CDS_CLIENTS_FILE": str(path), "CDS_ALLOW_HTTP_FHIR": "yes"}
    with started(tmp_path, empty_database, predictor, tables, **more) as service:
        service.runtime.fhir = FhirClient(tls=TLS)
        found = card(service.client, fixture(), Authorization=f"Bearer {a_token()}")
        ehr.patient, ehr.context = PATIENT, found["uuid"]
        yield Ward(service, ehr, found)
    written = (tmp_path / "log.jsonl").read_text()
    assert not [word for word in (ACCESS_TOKEN, SECRET, "eyJ", "code_verifier") if word in written]


def begin(browser: FlaskClient, ehr: Ehr, **query: str) -> TestResponse:
    return browser.get("/launch", query_string={"iss": ehr.iss, "launch": "xyz-1", **query})


def authorized(location: str) -> str:
    """Where the EHR sends the browser back to: the path under the service's public address."""
    parts = urlsplit(location)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    connection.request("GET", f"{parts.path}?{parts.query}")
    back = connection.getresponse().headers["Location"]
    connection.close()
    assert back.startswith(f"{PUBLIC_URL}/redirect?")
    return back.removeprefix(PUBLIC_URL)


def launched(browser: FlaskClient, ehr: Ehr) -> TestResponse:
    return browser.get(authorized(begin(browser, ehr).location))


def test_a_cards_link_is_launched_where_its_client_is_registered_for_that(ward: Ward) -> None:
    [reasons, model] = ward.card["links"]

    assert reasons == {
        "label": "Reasons and feedback",
        "url": f"{PUBLIC_URL}/launch",
        "type": "smart",
        "appContext": ward.card["uuid"],
    }
    assert model["type"] == "absolute"


def test_a_card_of_another_tenant_of_the_client_is_not_launched(ward: Ward) -> None:
    other = card(ward.service.client, fixture(), Authorization=f"Bearer {a_token(tenant='T-SOUTH')}")

    assert [one["type"] for one in other["links"]] == ["absolute", "absolute"]


def test_the_prediction_is_opened_from_the_record_of_its_patient(ward: Ward) -> None:
    browser = ward.browser()

    opened = launched(browser, ward.ehr)

    assert (opened.status_code, opened.location) == (303, f"/base{ward.page}")
    shown = browser.get(ward.page)
    assert shown.status_code == 200
    assert "Practitioner/ana-1" in text_of(shown)
    rows = ward.service.stored.rows("SELECT tenant, actor, action, object_id FROM audit ORDER BY seq")
    assert [tuple(row) for row in rows][-5:-2] == [
        ("north", "ehr", "launch", "ehr"),
        ("north", "Practitioner/ana-1", "login", "Practitioner/ana-1"),
        ("north", "Practitioner/ana-1", "prediction-read", ward.card["uuid"]),
    ]
    stored = "\n".join(map(str, ward.service.stored.rows("SELECT * FROM audit")))
    assert ACCESS_TOKEN not in stored


def test_the_ehr_is_asked_for_no_more_than_the_launch_needs(ward: Ward) -> None:
    query = parse_qs(urlsplit(begin(ward.browser(), ward.ehr).location).query)

    assert query["scope"] == ["launch openid fhirUser"]
    assert (query["launch"], query["aud"], query["code_challenge_method"]) == (["xyz-1"], [ward.ehr.iss], ["S256"])


def test_who_was_launched_labels_this_prediction_under_their_own_name(ward: Ward) -> None:
    browser = ward.browser()
    launched(browser, ward.ehr)

    assert send(browser, f"{ward.page}/labels", ward.page, category="acute").status_code == 303

    assert ward.service.stored.rows("SELECT author, environment FROM labels") == [("Practitioner/ana-1", "production")]


def test_who_was_launched_sees_this_one_patient_only(ward: Ward) -> None:
    browser = ward.browser()
    other = card(ward.service.client, fixture(), Authorization=f"Bearer {a_token()}")
    launched(browser, ward.ehr)

    assert browser.get(f"/console/predictions/{other['uuid']}").status_code == 403
    assert browser.get("/triage").status_code == 403
    assert browser.get("/").location == f"/base{ward.page}"


def test_what_a_launched_session_ends_with(ward: Ward, clock: Clock) -> None:
    browser = ward.browser()
    launched(browser, ward.ehr)
    send(browser, "/logout", ward.page)
    assert browser.get(ward.page).status_code == 303

    launched(browser, ward.ehr)
    clock.moment += timedelta(minutes=16)
    assert browser.get(ward.page).status_code == 303


def test_a_registration_that_is_taken_away_ends_its_sessions(ward: Ward) -> None:
    browser = ward.browser()
    launched(browser, ward.ehr)
    clients_file(ward.service.database.parent)
    assert ward.service.runtime.followed is not None
    ward.service.runtime.followed._looked_at = float("-inf")

    assert browser.get(ward.page).status_code == 303


def test_an_app_with_a_secret_shows_it(ward: Ward, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text(f"{SECRET}\n")
    app = f"{{ iss = '{ward.ehr.iss}', client_id = '{CLIENT_ID}', secret = '{tmp_path}/secret.txt' }}"
    clients_file(tmp_path, more=f"smart = {app}")
    assert ward.service.runtime.followed is not None
    ward.service.runtime.followed._looked_at = float("-inf")
    ward.ehr.has_secret = True

    assert launched(ward.browser(), ward.ehr).location == f"/base{ward.page}"


def test_endpoints_of_the_clients_file_are_taken_unasked(ward: Ward, tmp_path: Path) -> None:
    said = ward.ehr.configuration()
    given = {"authorize": "authorization_endpoint", "token": "token_endpoint", "issuer": "issuer", "keys": "jwks_uri"}
    own = ", ".join(f"{key} = '{said[name]}'" for key, name in given.items())
    clients_file(tmp_path, more=f"smart = {{ iss = '{ward.ehr.iss}', client_id = '{CLIENT_ID}', {own} }}")
    assert ward.service.runtime.followed is not None
    ward.service.runtime.followed._looked_at = float("-inf")

    assert launched(ward.browser(), ward.ehr).location == f"/base{ward.page}"
    assert ward.ehr.requests == ["/authorize", "/token", "/jwks"]


def test_what_an_ehr_publishes_is_not_asked_for_by_every_launch(ward: Ward) -> None:
    for _ in range(5):
        assert begin(ward.browser(), ward.ehr).status_code == 303

    assert len(ward.ehr.requests) == 1


@pytest.mark.parametrize(
    "iss", ["https://evil.example/fhir", "", "{iss}/", "{IsS}"], ids=["foreign", "none", "a slash more", "capitals"]
)
def test_another_ehr_is_never_called(ward: Ward, iss: str) -> None:
    asked = iss.replace("{iss}", ward.ehr.iss).replace("{IsS}", ward.ehr.iss.upper())

    refused = begin(ward.browser(), ward.ehr, iss=asked)

    assert (refused.status_code, ward.ehr.requests) == (403, [])
    assert "does not know the record you came from" in text_of(refused)
    assert ward.refusals() == [("console.launch", "launch-iss")]


def test_a_launch_without_its_context_is_refused(ward: Ward) -> None:
    assert begin(ward.browser(), ward.ehr, launch="").status_code == 403
    assert ward.refusals() == [("console.launch", "launch-request")]


Change = Callable[[Ehr], object]
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "no PKCE": {"code_challenge_methods_supported": []},
    "plain PKCE": {"code_challenge_methods_supported": ["plain"]},
    "token elsewhere unencrypted": {"token_endpoint": "http://evil.example/token"},
    "no issuer": {"issuer": None},
    "a script": {"authorization_endpoint": "javascript:alert(1)"},
}


@pytest.mark.parametrize("documents", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_an_ehr_whose_endpoints_will_not_do_is_refused(ward: Ward, documents: dict[str, Any]) -> None:
    ward.ehr.documents = documents

    assert begin(ward.browser(), ward.ehr).status_code == 403
    assert ward.refusals() == [("console.launch", "launch-configuration")]


# What the EHR says that must not open anything, and the reason that is noted.
REFUSED: dict[str, tuple[Change, str]] = {
    "another patient": (lambda ehr: setattr(ehr, "patient", "1288993"), "launch-patient"),
    "no patient": (lambda ehr: setattr(ehr, "patient", None), "launch-answer"),
    "an empty patient": (lambda ehr: setattr(ehr, "patient", ""), "launch-answer"),
    "another kind of token": (lambda ehr: ehr.answered.update(token_type="mac"), "launch-answer"),
    "no id_token": (lambda ehr: ehr.answered.update(id_token=None), "launch-answer"),
    "no card": (lambda ehr: setattr(ehr, "context", None), "launch-prediction"),
    "a card nobody knows": (lambda ehr: setattr(ehr, "context", "x" * 36), "launch-prediction"),
    "signed by another": (lambda ehr: setattr(ehr, "signer", rsa_key("thief")), "launch-signature"),
    "a key nobody published": (lambda ehr: ehr.header.update(kid="other"), "launch-signature"),
    "another algorithm": (lambda ehr: ehr.header.update(alg="RS384"), "launch-signature"),
    "not signed": (lambda ehr: ehr.answered.update(id_token="e30.e30."), "launch-signature"),
    "no token at all": (lambda ehr: ehr.answered.update(id_token="x"), "launch-signature"),
    "for another app": (lambda ehr: ehr.changed.update(aud="other"), "launch-claims"),
    "given to another app": (lambda ehr: ehr.changed.update(aud=[CLIENT_ID, "b"], azp="b"), "launch-claims"),
    "of another issuer": (lambda ehr: ehr.changed.update(iss="https://evil.example"), "launch-claims"),
    "long ended": (lambda ehr: ehr.changed.update(exp=1), "launch-claims"),
    "of tomorrow": (lambda ehr: ehr.changed.update(iat=9_999_999_999), "launch-claims"),
    "without its end": (lambda ehr: ehr.changed.update(exp=None), "launch-claims"),
    "of another launch": (lambda ehr: ehr.changed.update(nonce="other"), "launch-nonce"),
    "a patient's own": (lambda ehr: setattr(ehr, "user", "Patient/1288992"), "launch-user"),
    "no user": (lambda ehr: ehr.changed.update(fhirUser=None), "launch-claims"),
    "a user of another server": (
        lambda ehr: ehr.changed.update(fhirUser="https://evil.example/Practitioner/1"),
        "launch-user",
    ),
    "denied": (lambda ehr: setattr(ehr, "denies", True), "launch-denied"),
    "the app's secret is missing": (lambda ehr: setattr(ehr, "has_secret", True), "launch-code"),
}


@pytest.mark.parametrize(("change", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_the_ehr_does_not_prove_opens_nothing(ward: Ward, change: Change, reason: str) -> None:
    change(ward.ehr)
    browser = ward.browser()

    refused = launched(browser, ward.ehr)

    assert refused.status_code == 403
    assert PATIENT not in refused.get_data(as_text=True)
    assert "Ferrer" not in refused.get_data(as_text=True)
    assert ward.refusals() == [("console.come_back", reason)]
    assert browser.get(ward.page).status_code == 303  # nobody is signed in


def test_the_refusal_of_another_patient_says_so_in_both_languages(ward: Ward) -> None:
    ward.ehr.patient = "1288993"
    browser = ward.browser()

    said = launched(browser, ward.ehr)
    dicho = browser.get(authorized(begin(browser, ward.ehr).location), headers={"Accept-Language": "es"})

    assert "another patient" in text_of(said)
    assert "otro paciente" in text_of(dicho)
    detail = ward.service.stored.rows("SELECT actor, detail FROM audit WHERE action = 'refuse' ORDER BY seq")[0]
    assert detail[0] == "Practitioner/ana-1"
    assert json.loads(detail[1])["prediction"] == ward.card["uuid"]


def test_a_state_counts_in_the_browser_it_was_given_to_only(ward: Ward) -> None:
    back = authorized(begin(ward.browser(), ward.ehr).location)

    assert ward.browser().get(back).status_code == 403
    assert ward.refusals() == [("console.come_back", "launch-state")]
    assert "/token" not in ward.ehr.requests


@pytest.mark.parametrize("state", ["", "made-up"])
def test_a_state_somebody_made_up_is_refused(ward: Ward, state: str) -> None:
    browser = ward.browser()
    back = authorized(begin(browser, ward.ehr).location)
    query = {**{name: one[0] for name, one in parse_qs(urlsplit(back).query).items()}, "state": state}

    assert browser.get(f"/redirect?{urlencode(query)}").status_code == 403
    assert ward.refusals() == [("console.come_back", "launch-state")]


def test_a_state_is_used_once_even_with_the_cookie_of_before(ward: Ward) -> None:
    browser, copy = ward.browser(), ward.browser()
    back = authorized(begin(browser, ward.ehr).location)
    cookie = browser.get_cookie("__Host-cds")
    assert cookie is not None
    copy.set_cookie("__Host-cds", cookie.value)

    assert browser.get(back).status_code == 303
    assert (browser.get(back).status_code, copy.get(back).status_code) == (403, 403)

    assert [reason for _, reason in ward.refusals()] == ["launch-state", "launch-replay"]


def test_a_launch_that_took_too_long_is_refused(ward: Ward, clock: Clock) -> None:
    browser = ward.browser()
    back = authorized(begin(browser, ward.ehr).location)
    clock.moment += timedelta(minutes=5, seconds=1)

    assert browser.get(back).status_code == 403
    assert ward.refusals() == [("console.come_back", "launch-state")]


def test_a_code_of_another_launch_does_not_fit_its_verifier(ward: Ward) -> None:
    """A code that was caught on its way, put into a launch of the thief's own: PKCE binds it to where it began."""
    victim, thief = ward.browser(), ward.browser()
    caught = parse_qs(urlsplit(authorized(begin(victim, ward.ehr).location)).query)["code"][0]
    own = parse_qs(urlsplit(authorized(begin(thief, ward.ehr).location)).query)["state"][0]

    assert thief.get(f"/redirect?{urlencode({'code': caught, 'state': own})}").status_code == 403
    assert ward.refusals() == [("console.come_back", "launch-code")]


def test_several_cards_may_be_opened_before_the_first_is_there(ward: Ward, clock: Clock) -> None:
    browser, ways = ward.browser(), []
    for _ in range(5):
        clock.moment += timedelta(seconds=1)
        ways.append(authorized(begin(browser, ward.ehr).location))

    assert browser.get(ways[0]).status_code == 403  # only the newest four count
    assert browser.get(ways[1]).status_code == 303


def test_a_launch_takes_the_place_of_whoever_was_signed_in(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_ALLOW_HTTP_FHIR", "yes")
    add(ward.service)
    browser = ward.browser()
    sign_in(browser, "ada")
    ward.ehr.patient = "1288993"
    launched(browser, ward.ehr)
    assert browser.get("/triage").status_code == 200  # a launch that was refused changes nothing

    ward.ehr.patient = PATIENT
    launched(browser, ward.ehr)

    assert browser.get("/triage").status_code == 403


@pytest.mark.parametrize("away", ["token_endpoint", "jwks_uri"])
def test_an_ehr_that_is_away_is_an_outage_and_no_refusal(ward: Ward, away: str) -> None:
    ward.ehr.documents = {away: f"{ward.ehr.base}/gone"}

    assert launched(ward.browser(), ward.ehr).status_code == 503
    assert ward.refusals() == []


def test_keys_of_calls_and_of_launches_are_not_mixed(ward: Ward) -> None:
    """The client's own key for calls proves no user."""
    ward.ehr.signer, ward.ehr.header = elliptic_key(), {"alg": "ES384", "kid": "ec-1"}

    assert launched(ward.browser(), ward.ehr).status_code == 403
    assert ward.refusals() == [("console.come_back", "launch-signature")]
