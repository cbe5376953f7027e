"""Deciding about models at a page is deciding by the command: the same rows and refusals, the password each time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from tests.conftest import Clock, Service, cds_in, started
from tests.published import check, judge, publish
from tests.registry.conftest import PASSWORD
from tests.registry.test_deciding import audited, decided
from tests.web.pages import send, sign_in, text_of

REASON = {"reason": "validated on our own visits", "password": PASSWORD}


@pytest.fixture
def registry(
    tmp_path: Path, models: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> Iterator[Service]:
    more = {"CDS_MODELS_DIR": str(models), "CDS_CLIENT_AUTH": "required"}
    with started(tmp_path, empty_database, predictor, tables, **more) as service:
        for name, role in (("ada", "steward"), ("tara", "admin"), ("carl", "clinician")):
            assert (
                cds_in(service, "users", "add", name, "--tenant", "north", "--role", role, typed=PASSWORD).returncode
                == 0
            )
        yield service


def opened(service: Service, name: str = "ada") -> FlaskClient:
    browser = service.client
    sign_in(browser, name, PASSWORD)
    return browser


def decide(browser: FlaskClient, what: str, **fields: Any) -> TestResponse:
    return send(browser, f"/models/risk/{what}", "/models", **{**REASON, **fields})


def test_a_version_is_promoted_and_rolled_back_with_a_reason(registry: Service, models: Path) -> None:
    publish(models, "1.1.0", verdict={"synthetic": True})
    browser = opened(registry)

    promoted = decide(browser, "promote", version="1.1.0")
    after = text_of(browser.get("/models"))
    in_force = registry.runtime.models.versions()["risk"]
    rolled_back = decide(browser, "rollback")

    assert (promoted.status_code, rolled_back.status_code) == (303, 303)
    assert "In force: 1.1.0" in after
    assert after.count("Invented patients") == 1
    assert "validated on our own visits" in after
    assert (in_force, registry.runtime.models.versions()["risk"]) == ("1.1.0", "1.0.0")
    assert decided(registry) == [
        ("seed", "1.0.0", "service"),
        ("promote", "1.1.0", "ada"),
        ("rollback", "1.0.0", "ada"),
    ]
    assert audited(registry) == ["model-seed", "model-promote", "model-rollback"]


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "wrong password": ("ada", {"password": "wrong password here"}, "not this password"),
    "no reason": ("ada", {"reason": " "}, "reason"),
    "trainer": ("tara", {}, "who trained a version does not promote it"),
    "no such version": ("ada", {"version": "9.9.9"}, "missing or not JSON"),
    "a name that leads elsewhere": ("ada", {"version": "../1.1.0"}, "not the name of a version"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_command_refuses_the_page_refuses(registry: Service, models: Path, case: str) -> None:
    publish(models, "1.1.0")
    name, fields, said = REFUSED[case]

    refused = decide(opened(registry, name), "promote", **{"version": "1.1.0", **fields})

    assert refused.status_code >= 400
    assert said in text_of(refused)
    assert registry.runtime.models.versions()["risk"] == "1.0.0"
    assert audited(registry) == ["model-seed", "model-refuse"]


def test_a_check_that_failed_is_taken_on_by_its_name(registry: Service, models: Path) -> None:
    judge(publish(models, "1.1.0"), verdict="no", checks=[check("latency"), check("model-card")])
    browser = opened(registry)

    refused = decide(browser, "promote", version="1.1.0", override=["latency"])
    done = decide(browser, "promote", version="1.1.0", override=["latency", "model-card"])

    assert (refused.status_code, done.status_code) == (409, 303)
    assert "latency, model-card" in text_of(browser.get("/models"))


def test_wrong_passwords_are_slowed_down(registry: Service) -> None:
    browser = opened(registry)

    answers = [decide(browser, "rollback", password="wrong password here").status_code for _ in range(9)]

    assert answers[0] == 400
    assert 429 in answers


def test_every_check_is_shown_with_value_and_bound_beside_the_card(registry: Service, models: Path) -> None:
    figure = {"value": 0.91, "low": 0.88, "high": 0.94}
    judge(
        publish(models, "1.1.0"),
        checks=[check("subgroup:sex=<b>", passed=True) | {"value": figure, "bound": [0.8, 1250]}],
    )

    browser = opened(registry)
    page = browser.get("/models/risk/1.1.0")

    shown = text_of(page)
    assert "0.91 (0.88 – 0.94)" in shown
    assert "0.8 – 1 250" in shown
    assert "0,91 (0,88 – 0,94)" in text_of(browser.get("/models/risk/1.1.0?language=es"))
    assert "What it cannot say" in shown
    assert "sex=<b>" not in page.get_data(as_text=True)


def test_pages_of_what_is_not_there_are_not_found(registry: Service) -> None:
    browser = opened(registry)

    for address in ("/models/risk/9.9.9", "/models/codes/1.0.0", "/models/rare/compare"):
        assert browser.get(address).status_code == 404
    assert "No version was scored in shadow yet" in text_of(browser.get("/models/risk/compare"))


def test_what_is_wrong_with_a_version_and_why_it_was_shipped_is_said_in_spanish(
    registry: Service, models: Path
) -> None:
    (publish(models, "1.1.0") / "full.onnx").write_bytes(b"")
    browser = opened(registry)

    broken, unjudged, all_of_them = (
        text_of(browser.get(f"/models{path}?language=es")) for path in ("/risk/1.1.0", "/risk/1.0.0", "")
    )
    refused = decide(browser, "promote", version="1.1.0")

    assert "full.onnx : tiene 0 bytes; el manifiesto dice" in broken
    assert "gate.json : falta o no es JSON" in unjudged
    assert "lo nombra CURRENT cuando aún no se había decidido nada" in all_of_them
    assert "Rechazado: full.onnx : tiene 0 bytes" in text_of(refused)


def test_the_form_of_another_site_decides_nothing(registry: Service) -> None:
    browser = opened(registry)

    assert browser.post("/models/risk/rollback", data=REASON).status_code == 403
    assert opened(registry, "carl").get("/models").status_code == 403


def test_a_script_in_a_reason_stays_inert(registry: Service, models: Path) -> None:
    publish(models, "1.1.0")
    browser = opened(registry)
    script = "<script>alert(1)</script>"

    decide(browser, "promote", version="1.1.0", reason=script)
    refused = decide(browser, "rollback", reason=script, password="wrong password here")

    for page in (browser.get("/models"), refused):
        assert script not in page.get_data(as_text=True)
        assert "&lt;script&gt;alert(1)" in page.get_data(as_text=True)
