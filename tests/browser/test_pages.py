"""Every page in both languages, narrow and wide, with scripts and without: no barrier, nothing wrong or foreign."""

from __future__ import annotations

import pytest

from tests.browser.conftest import WIDTHS, Visit

# Page: who opens it. Names in braces are fixtures that make what the page shows.
PAGES = {
    "/login": "",
    "/triage": "ada",
    "{prediction_path}": "ada",
    "/dashboard": "eve",
    "/models": "eve",
    "/models/risk/1.0.0": "eve",
    "/review": "ben",
    "/review/conflicts": "eve",
    "/review/confirmations": "ben",
    "/console/predictions/00000000-0000-7000-8000-000000000000": "ada",
}

# Where the keyboard stops: of radio buttons of one name at one only, and not where something else does the same.
STOPS = ":is(a[href], button, input:not([type=hidden], [type=radio]), select, textarea, summary):not([tabindex='-1'])"


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_barrier(
    visit: Visit, request: pytest.FixtureRequest, path: str, language: str, javascript: bool
) -> None:
    visitor = visit(PAGES[path], language=language, javascript=javascript)
    page = visitor.go(request.getfixturevalue(path[1:-1]) if path.startswith("{") else path)

    assert page.locator("html").get_attribute("lang") == language
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert not visitor.is_too_wide(), width
        assert not javascript or visitor.barriers() == [], width


@pytest.mark.parametrize("path", PAGES)
def test_the_keyboard_alone_reaches_everything(visit: Visit, request: pytest.FixtureRequest, path: str) -> None:
    visitor = visit(PAGES[path])
    page = visitor.go(request.getfixturevalue(path[1:-1]) if path.startswith("{") else path)
    wanted = page.locator(STOPS).filter(visible=True).count() + len(
        {one.get_attribute("name") for one in page.locator(":enabled[type=radio]").all()}
    )

    reached = set()
    for _ in range(wanted + 12):  # a date has a stop for each of its parts
        page.keyboard.press("Tab")
        reached.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))

    assert len(reached) >= wanted
