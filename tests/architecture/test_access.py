"""Every address and command has a row that says who may use it, and the row is what happens."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from cds_service.access import ACCESS
from cds_service.domain.actor import LAUNCHED, ROLES, USER_ROLES
from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from cds_service.services.credentials import SCOPES, hash_password, make_token
from cds_service.storage.people import TokenRow, UserRow, add_token, add_user
from tests.conftest import NOW, PUBLIC_URL, Service, started
from tests.web.tokens import a_token, clients_file

# A call of each address as it would be made; what follows the address is not read before the caller is known.
ARGUMENTS = {
    "service_id": "vitals-risk",
    "prediction_id": "1",
    "label_id": "1",
    "part": "labels",
    "task": "risk",
    "version": "1.0.0",
    "filename": "console.css",
}
PASSWORD = "correct horse battery staple"
ADDRESSES = {name for name in ACCESS if not name.startswith("cds ")}
PAGES = sorted(name for name in ADDRESSES if ACCESS[name].scope in ("page", *LAUNCHED))
# Open to a browser an EHR sends; tests/web/test_launch.py.
LAUNCHING = {"console.launch", "console.come_back"}
CLOSED = sorted(name for name in ADDRESSES if not ACCESS[name].is_open and name not in PAGES)


def endpoints(app: Flask) -> set[str]:
    return {rule.endpoint for rule in app.url_map.iter_rules()}


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, predictor: Predictor, tables: CodeTables
) -> Iterator[Service]:
    """A service that demands to know its callers, with a client, a user of each role and a token of each scope."""
    directory = tmp_path_factory.mktemp("access")
    more = {"CDS_CLIENT_AUTH": "required", "CDS_CLIENTS_FILE": str(clients_file(directory))}
    with pytest.MonkeyPatch.context() as held, started(directory, empty_database, predictor, tables, **more) as service:
        held.setattr(type(service.runtime), "now", staticmethod(lambda: NOW))
        for role in USER_ROLES:
            row = UserRow(
                name=role,
                tenant="north",
                environment="production",
                role=role,
                password_hash=hash_password(PASSWORD),
                created_at=NOW,
                created_by="command:test",
            )
            service.runtime.writer.submit_change(add_user(row))
        yield service


def api_token(service: Service, *scopes: str, user: str | None = None, days: float = 1) -> str:
    made = make_token()
    row = TokenRow(
        id=made.id,
        secret_hash=made.secret_hash,
        name="lab",
        tenant="north",
        environment="production",
        user_name=user,
        scopes=" ".join(scopes),
        created_at=NOW,
        created_by="command:test",
        expires_at=NOW + timedelta(days=days),
    )
    service.runtime.writer.submit_change(add_token(row))
    return f"Bearer {made.text}"


def basic(name: str, password: str = PASSWORD) -> str:
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


def calls(service: Service, endpoint: str) -> Iterator[tuple[str, str]]:
    for rule in service.app.url_map.iter_rules():
        if rule.endpoint == endpoint:
            path = str(rule.build({name: ARGUMENTS[name] for name in rule.arguments})[1])  # type: ignore[index]
            yield from ((path, method) for method in sorted((rule.methods or set()) & {"GET", "POST"}))


def statuses(service: Service, endpoint: str, authorization: str | None) -> set[int]:
    headers = {} if authorization is None else {"Authorization": authorization}
    found = set()
    for path, method in calls(service, endpoint):
        body = {} if method == "POST" else None
        with service.client.open(path, method=method, headers=headers, json=body) as response:
            found.add(response.status_code)
    return found


def test_every_endpoint_has_its_row_and_every_row_its_endpoint(service: Service) -> None:
    assert endpoints(service.app) == ADDRESSES


def test_every_row_names_roles_and_a_scope_that_are_known() -> None:
    closed = [ACCESS[name] for name in CLOSED]

    assert all(row.roles and row.roles <= set(ROLES) and row.scope in SCOPES for row in closed)
    assert all(ACCESS[name].roles and ACCESS[name].roles <= set(USER_ROLES) for name in PAGES)
    assert all(not row.roles for row in ACCESS.values() if row.is_open)
    assert all(not ACCESS[name].records for name in ADDRESSES)


@pytest.mark.parametrize("endpoint", CLOSED)
def test_a_caller_that_proves_nothing_is_401(guarded: Service, endpoint: str) -> None:
    expired = api_token(guarded, *SCOPES, days=-1)
    nobodys = api_token(guarded, *SCOPES, user="nobody")
    for authorization in (None, "Bearer x.y.z", "Bearer cds_x", basic(endpoint, "wrong"), expired, nobodys):
        assert statuses(guarded, endpoint, authorization) == {401}


@pytest.mark.parametrize("endpoint", CLOSED)
@pytest.mark.parametrize("role", USER_ROLES)
def test_a_user_is_let_in_where_the_row_names_their_role(guarded: Service, endpoint: str, role: str) -> None:
    row = ACCESS[endpoint]
    is_admitted = role in row.roles or (role == "admin" and not row.roles.isdisjoint(USER_ROLES))

    found = statuses(guarded, endpoint, basic(role))

    assert (found & {401, 403} == set()) if is_admitted else (found == {403})


@pytest.mark.parametrize("endpoint", CLOSED)
def test_a_token_is_good_for_its_scope_only(guarded: Service, endpoint: str) -> None:
    row = ACCESS[endpoint]
    role = "client" if "client" in row.roles else min(row.roles)
    user = None if role == "client" else role

    with_it = statuses(guarded, endpoint, api_token(guarded, str(row.scope), user=user))
    without = statuses(guarded, endpoint, api_token(guarded, *(set(SCOPES) - {str(row.scope)}), user=user))

    assert with_it & {401, 403} == set()
    assert without == {403}


@pytest.mark.parametrize("endpoint", CLOSED)
def test_a_client_system_is_let_in_where_the_row_says_so(guarded: Service, endpoint: str) -> None:
    found = {
        guarded.client.open(
            path,
            method=method,
            headers={"Authorization": f"Bearer {a_token(aud=[PUBLIC_URL + path])}"},
            json={} if method == "POST" else None,
        ).status_code
        for path, method in calls(guarded, endpoint)
    }

    assert found & {401, 403} == (set() if "client" in ACCESS[endpoint].roles else {403})


@pytest.mark.parametrize("endpoint", PAGES)
def test_a_page_sends_whoever_did_not_sign_in_to_do_so_whatever_a_header_proves(
    guarded: Service, endpoint: str
) -> None:
    for authorization in (None, basic("admin"), api_token(guarded, *SCOPES, user="clinician")):
        assert statuses(guarded, endpoint, authorization) == {303}


@pytest.mark.parametrize("endpoint", PAGES)
@pytest.mark.parametrize("role", USER_ROLES)
def test_a_page_is_shown_to_the_roles_its_row_names(guarded: Service, endpoint: str, role: str) -> None:
    row = ACCESS[endpoint]
    is_admitted = role in row.roles or role == "admin"
    browser = guarded.app.test_client()
    token = form_token(browser)
    fields = {"name": role, "password": PASSWORD, "form_token": token, "next": "/livez"}
    assert browser.post("/login", data=fields).status_code == 303

    token = form_token(browser)
    found = {
        browser.open(path, method=method, data={"form_token": token} if method == "POST" else None).status_code
        for path, method in calls(guarded, endpoint)
    }

    assert (found & {401, 403} == set()) if is_admitted else (found == {403})


def form_token(browser: FlaskClient) -> str:
    """The secret of the session, as its own forms carry it."""
    found = re.search(r'name="form_token" value="([^"]+)"', browser.get("/login").get_data(as_text=True))
    assert found is not None
    return found[1]


# Signing in and out needs a form of ours; its own tests are in tests/web/test_sign_in.py.
@pytest.mark.parametrize(
    "endpoint", sorted(ADDRESSES - set(CLOSED) - set(PAGES) - LAUNCHING - {"console.take_login", "console.logout"})
)
def test_what_is_open_is_answered_to_anyone(guarded: Service, endpoint: str) -> None:
    assert statuses(guarded, endpoint, None) <= {200, 503}
