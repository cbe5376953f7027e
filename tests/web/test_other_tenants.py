"""Another tenant's things are not there: every page that names a prediction, from the addresses themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service.access import ACCESS
from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from tests.conftest import Service, started
from tests.web.pages import FILLED, form_token, send, sign_in
from tests.web.test_credentials import add, cds

# What is sent along, so that a form is refused for whose it is and not for what it lacks.
SENT = {"category": "acute", "reason": "x", "label": "00000000-0000-7000-8000-000000000000", "skip": "1"}
# It leads to the page itself, whatever it is asked for.
REDIRECTIONS = {"console.back_to_prediction"}
OTHERS = ("other-clinician", "other-steward", "other-admin")


@pytest.fixture(scope="module")
def ward(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, predictor: Predictor, tables: CodeTables
) -> Iterator[tuple[Service, dict[str, FlaskClient], str]]:
    """A prediction of the tenant north, and people of south."""
    directory = tmp_path_factory.mktemp("tenants")
    with started(directory, empty_database, predictor, tables, CDS_CLIENT_AUTH="required") as service:
        add(service)
        for name in OTHERS:
            role = name.partition("-")[2]
            assert cds(service, "users", "add", name, "--tenant", "south", "--role", role).returncode == 0
        browsers = {name: service.app.test_client() for name in ("ada", *OTHERS)}
        for name, browser in browsers.items():
            sign_in(browser, name)
        shown = send(browsers["ada"], "/triage", **FILLED)
        yield service, browsers, re.findall(r"/console/predictions/([0-9a-f-]{36})", shown.text)[0]


def addresses(service: Service) -> set[tuple[str, str]]:
    """Method and rule of every page of one prediction."""
    return {
        (method, rule.rule)
        for rule in service.app.url_map.iter_rules()
        if rule.endpoint.startswith("console.") and "prediction_id" in rule.arguments
        if rule.endpoint not in REDIRECTIONS
        for method in {"GET", "POST"} & (rule.methods or set())
    }


@pytest.mark.parametrize("name", OTHERS)
def test_no_page_of_a_prediction_is_there_for_another_tenant(
    ward: tuple[Service, dict[str, FlaskClient], str], name: str
) -> None:
    service, browsers, case = ward
    browser = browsers[name]
    token = form_token(browser.get("/review").text)
    found = {}
    for method, rule in sorted(addresses(service)):
        address = rule.replace("<prediction_id>", case)
        answer = browser.open(address, method=method, data={"form_token": token, **SENT} if method == "POST" else None)
        found[method, rule] = answer.status_code
        assert "Ejemplo" not in answer.text, address
    assert set(found.values()) <= {403, 404}, found
    assert len(found) >= 9
    # Who may come at all is told that there is no such thing, not that it is another's.
    assert [key for key, status in found.items() if status == 403 and _admits(service, key, name)] == []


def _admits(service: Service, page: tuple[str, str], name: str) -> bool:
    role, (method, address) = name.partition("-")[2], page
    return any(
        role == "admin" or role in ACCESS[rule.endpoint].roles
        for rule in service.app.url_map.iter_rules()
        if rule.rule == address and method in (rule.methods or ())
    )


def test_lists_of_another_tenant_name_nobody(ward: tuple[Service, dict[str, FlaskClient], str]) -> None:
    service, browsers, case = ward
    for name in OTHERS:
        for rule in service.app.url_map.iter_rules():
            if rule.endpoint.startswith("console.") and not rule.arguments and "GET" in (rule.methods or ()):
                shown = browsers[name].get(rule.rule)
                assert "Ejemplo" not in shown.text, rule.rule
                assert case not in shown.text, rule.rule
