"""Deciding about models in a browser: by keyboard, on a narrow screen, in Spanish, without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from tests.browser.conftest import Site, Visit, serving
from tests.published import models_dir, publish
from tests.web.pages import PASSWORD


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, predictor: Predictor, tables: CodeTables
) -> Iterator[Site]:
    """A service beside whose model another was published, which the gate approved."""
    directory = tmp_path_factory.mktemp("registry")
    models = models_dir(directory)
    publish(models, "1.1.0")
    with serving(directory, empty_database, predictor, tables, CDS_MODELS_DIR=str(models)) as found:
        yield found


def decide(page: Page, form: str, reason: str, password: str = PASSWORD) -> None:
    """Fill the form as the keyboard does, and send it."""
    page.locator(f"details:has(form[action$='{form}']) > summary").focus()
    if not page.locator(f"#risk-{form}-reason").is_visible():
        page.keyboard.press("Enter")
    page.locator(f"#risk-{form}-reason").focus()
    page.keyboard.type(reason)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    with page.expect_navigation():
        page.keyboard.press("Enter")


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no scripts"])
def test_a_version_is_promoted_and_rolled_back_by_keyboard(visit: Visit, javascript: bool) -> None:
    page = visit("eve", language="es", width=360, javascript=javascript).go("/models")

    decide(page, "promote", "validado en nuestras visitas")
    promoted = page.locator("#risk .lead").inner_text()
    decide(page, "rollback", "peor de lo esperado")

    assert promoted == "En vigor: 1.1.0"
    assert page.locator("#risk .lead").inner_text() == "En vigor: 1.0.0"
    assert page.get_by_role("cell", name="peor de lo esperado").first.is_visible()


def test_a_refusal_is_said_and_the_reason_kept(visit: Visit) -> None:
    visitor = visit("eve")
    page = visitor.go("/models")

    decide(page, "promote", "validated here", "not my password")

    assert "not this password" in page.get_by_role("alert").inner_text()
    assert page.locator("#risk-promote-reason").input_value() == "validated here"
    assert page.locator("#risk-promote-password").input_value() == ""
    assert visitor.barriers() == []
