"""Every page, every flow and what goes wrong: by keyboard, in both languages, narrow and wide, without scripts too."""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

import pytest
from playwright.sync_api import Page, expect

from cds_service.errors import Unavailable
from cds_service.i18n import translator
from tests.browser.conftest import Screen, Site, Visit, Visitor, on_screens
from tests.browser.flows import FLOWS, Flow, Walk
from tests.browser.keyboard import Keyboard
from tests.web.pages import PASSWORD

# Page: who opens it. Names in braces are fixtures that make what the page shows.
PAGES = {
    "/login": "",
    "/triage": "ada",
    "{prediction_path}": "ada",
    "/dashboard": "eve",
    "/models": "eve",
    "/models/risk/1.0.0": "eve",
    "/models/risk/compare": "eve",
    "/review": "ben",
    "/review/conflicts": "eve",
    "/review/confirmations": "ben",
}

# Where the keyboard stops: of radio buttons of one name at one only, and not where something else does the same.
STOPS = ":is(a[href], button, input:not([type=hidden], [type=radio]), select, textarea, summary):not([tabindex='-1'])"


@pytest.mark.parametrize(("path", "screen"), on_screens([*PAGES]), ids=str)
def test_a_page_has_no_barrier(visit: Visit, request: pytest.FixtureRequest, path: str, screen: Screen) -> None:
    visitor = visit(PAGES[path], screen)
    page = visitor.go(request.getfixturevalue(path[1:-1]) if path.startswith("{") else path)

    assert page.locator("html").get_attribute("lang") == screen.language
    assert not visitor.is_too_wide()
    assert visitor.barriers() == []
    if screen.width == 360:
        reaches_everything(page)


def reaches_everything(page: Page) -> None:
    """Tab stops at all there is to be done."""
    wanted = page.locator(STOPS).filter(visible=True).count() + len(
        {one.get_attribute("name") for one in page.locator(":enabled[type=radio]").all()}
    )
    reached = set()
    for _ in range(wanted + 12):  # a date has a stop for each of its parts
        page.keyboard.press("Tab")
        reached.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
    assert len(reached) >= wanted


@pytest.mark.parametrize(("flow", "screen"), on_screens(FLOWS), ids=lambda one: getattr(one, "__name__", str(one)))
def test_a_flow_comes_to_its_result_by_keyboard(visit: Visit, site: Site, flow: Flow, screen: Screen) -> None:
    flow(Walk(visit, site, screen))


def forbidden(visit: Visit, screen: Screen, _path: str) -> Visitor:
    return opened(visit("ada", screen), "/dashboard")


def unknown(visit: Visit, screen: Screen, _path: str) -> Visitor:
    return opened(visit("ada", screen), "/console/predictions/00000000-0000-7000-8000-000000000000")


def away(visit: Visit, screen: Screen, path: str) -> Visitor:
    """A read that cannot be audited is none."""
    visitor = visit("ada", screen)
    writer = visitor.site.service.runtime.writer
    with patch.object(writer, "_require_room", side_effect=Unavailable("does not answer", where="database")):
        return opened(visitor, path)


def too_often(visit: Visit, screen: Screen, _path: str) -> Visitor:
    visitor = opened(visit("", screen), "/login")
    with patch.object(visitor.site.service.runtime.logins, "wait_s", return_value=30):
        signed_in(visitor, "mallory", "not the password")
    return visitor


def ended(visit: Visit, screen: Screen, path: str) -> Visitor:
    """Signed out in another window meanwhile: the page that is asked for next is the login, then the page itself."""
    visitor = visit("", screen)
    opened(visitor, "/login")
    signed_in(visitor, "ada", PASSWORD)
    kept = visitor.context.cookies()
    Keyboard(visitor.page).press(".who button")
    visitor.page.wait_for_url("**/login")
    visitor.context.add_cookies(kept)  # type: ignore[arg-type]
    return opened(visitor, path)


def old_form(visit: Visit, screen: Screen, _path: str) -> Visitor:
    """A form of a session that is over, sent from a window that stayed open."""
    visitor = opened(visit("", screen), "/login")
    other = visitor.context.new_page()
    visitor.context.clear_cookies()
    other.goto(f"{visitor.site.address}/login")
    other.close()
    signed_in(visitor, "ada", PASSWORD)
    return visitor


_FORBIDDEN = "This is not for your role, or the form is no longer valid: go back, load the page again and repeat."
# What goes wrong: how it comes about, the status, and what the page says.
WRONG: dict[str, tuple[Callable[[Visit, Screen, str], Visitor], str]] = {
    "403": (forbidden, _FORBIDDEN),
    "404": (unknown, "There is no such page for you."),
    "429": (too_often, "Too many attempts: wait %(seconds)d seconds."),
    "503": (away, "The service cannot answer now. No result is not low risk: score NEWS2 by hand."),
    "the session is over": (ended, "Sign in"),
    "the form is of another session": (old_form, _FORBIDDEN),
}


@pytest.mark.parametrize(("what", "screen"), on_screens([*WRONG]), ids=str)
def test_what_went_wrong_is_said_without_a_barrier(
    visit: Visit, prediction_path: str, what: str, screen: Screen
) -> None:
    comes_about, said = WRONG[what]

    visitor = comes_about(visit, screen, prediction_path)

    expect(visitor.page.locator("main")).to_contain_text(translator(screen.language)(said).partition("%")[0])
    assert visitor.page.locator("html").get_attribute("lang") == screen.language
    assert not visitor.is_too_wide()
    assert visitor.barriers() == []


def opened(visitor: Visitor, path: str) -> Visitor:
    visitor.go(path)
    return visitor


def signed_in(visitor: Visitor, name: str, password: str) -> None:
    """Send the login as it stands."""
    keyboard = Keyboard(visitor.page)
    keyboard.type("#name", name)
    keyboard.type("#password", password)
    with visitor.page.expect_navigation():
        visitor.page.keyboard.press("Enter")
