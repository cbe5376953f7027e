"""The dashboard in a browser: charts with their tables, other days, by keyboard, with scripts and without."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from tests.browser.conftest import Site, Visit, serving
from tests.storage.made import made


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, predictor: Predictor, tables: CodeTables
) -> Iterator[Site]:
    """A service with forty visits over ten days, counted."""
    with serving(tmp_path_factory.mktemp("board"), empty_database, predictor, tables) as found:
        runtime = found.service.runtime
        for number in range(40):
            at = runtime.now() - timedelta(hours=6 * number + 1)
            runtime.writer.submit(made(at, ("high", "low")[number % 4 > 0], patient=f"p-{number}"))
        runtime.counting.count()
        yield found


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no scripts"])
def test_other_days_are_a_link_or_a_form_away(visit: Visit, javascript: bool) -> None:
    page = visit("eve", width=360, javascript=javascript).go("/dashboard")
    month = page.locator("#flags .lead").inner_text()

    page.get_by_role("link", name="7 days", exact=True).click()
    page.wait_for_url("**days=7")
    week = page.locator("#cards .lead").inner_text()
    page.fill("#from", page.locator("#to").input_value())
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**from=**")

    assert month.startswith("25.0 of 100 visits")
    assert week != "40 cards shown"
    assert page.locator("#from").input_value() == page.locator("#to").input_value()


def test_every_chart_has_its_table_which_the_keyboard_opens(visit: Visit) -> None:
    visitor = visit("eve", language="es", width=360)
    page = visitor.go("/dashboard")
    panels = page.locator("section.panel")

    without = [panel.get_attribute("id") for panel in panels.all() if panel.locator("details table").count() == 0]
    summary = page.locator("#flags summary").first
    summary.focus()
    page.keyboard.press("Enter")

    assert without == []
    assert page.locator("#flags details table").is_visible()
    for details in page.locator("details").all():
        details.evaluate("one => one.open = true")
    assert visitor.barriers() == []
    assert not visitor.is_too_wide()


def test_lines_over_days_can_be_zoomed_where_scripts_run_and_are_drawn_where_not(visit: Visit) -> None:
    zoomed = visit("eve").go("/dashboard")
    drawn = visit("eve", javascript=False).go("/dashboard")

    zoomed.locator("#flags canvas").wait_for()

    assert zoomed.locator("#flags canvas").get_attribute("aria-label")
    assert drawn.locator("#flags svg path.s0").first.is_visible()


def test_test_data_are_marked(visit: Visit) -> None:
    page = visit("eve").go("/dashboard")

    page.check("#data")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**data=test**")

    assert page.get_by_text("nothing here is about a patient").is_visible()
    assert page.locator("#flags .lead").inner_text() == "No visits yet"
