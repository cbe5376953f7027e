"""The triage form in a real browser: by keyboard, corrected, confirmed, with symptoms, with and without scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from tests.browser.conftest import WIDTHS, Site, Visit, Visitor
from tests.web.pages import FILLED

TYPED = {name: FILLED[name] for name in FILLED if name not in ("sex", "on_oxygen", "consciousness", "ambulance")}
CHOSEN = {name: FILLED[name] for name in ("sex", "on_oxygen", "consciousness", "ambulance")}
RESULT = "#result .summary"


@pytest.fixture(autouse=True)
def _ready(site: Site) -> None:
    """The knowledge base of rare diseases loads beside the first requests."""
    assert site.service.runtime.rare.wait(60)


def stored(site: Site) -> int:
    with site.service.runtime.engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM predictions")).scalar_one())


def fill(page: Page, **changed: str) -> None:
    for name, value in {**TYPED, **changed}.items():
        if name.endswith("_unit"):
            page.select_option(f"[name={name}]", value)
        else:
            page.fill(f"#{name}", value)
    for name, value in CHOSEN.items():
        page.check(f"[name={name}][value={value}]")


def assess(visitor: Visitor, expected: str) -> None:
    """Send the form and wait for what it is answered with."""
    visitor.page.click("#assess")
    expect(visitor.page.locator(expected).first).to_be_visible()


def tab_to(page: Page, selector: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("wanted => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"the keyboard does not reach {selector}")


def test_the_form_is_filled_and_sent_by_keyboard_alone(visit: Visit) -> None:
    visitor = visit("ada")
    page = visitor.go("/triage")
    for name in ("patient_id", "patient_name"):
        tab_to(page, f"#{name}")
        page.keyboard.type(TYPED[name])
    tab_to(page, "#birth_date")
    page.keyboard.type("03021955")
    tab_to(page, "[name=sex]")
    page.keyboard.press("Space")
    for name in ("respiratory_rate", "spo2"):
        tab_to(page, f"#{name}")
        page.keyboard.type(TYPED[name])
    tab_to(page, "[name=on_oxygen]")
    page.keyboard.press("ArrowRight")
    for name in ("systolic_bp", "diastolic_bp", "pulse_rate"):
        tab_to(page, f"#{name}")
        page.keyboard.type(TYPED[name])
    tab_to(page, "[name=consciousness]")
    page.keyboard.press("ArrowRight")
    tab_to(page, "#temperature")
    page.keyboard.type("38.4")
    page.keyboard.press("Enter")

    expect(page.locator(RESULT)).to_contain_text("NEWS2 9")
    expect(page.locator("#said")).to_be_focused()
    expect(page.locator(".who-is-it").first).to_contain_text("Ada Ejemplo · MRN-77 · 1955-03-02")
    assert page.locator(".bars svg").count() >= 3


def test_the_result_beside_the_form_has_no_barrier(visit: Visit) -> None:
    visitor = visit("ada", language="es")
    page = visitor.go("/triage")
    fill(page, observed="Tall stature\nArachnodactyly\nEctopia lentis\nqwertz")
    assess(visitor, RESULT)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert not visitor.is_too_wide(), width
        assert visitor.barriers() == [], width


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no scripts"])
def test_an_error_is_said_first_and_nothing_typed_is_lost(visit: Visit, site: Site, javascript: bool) -> None:
    visitor, before = visit("ada", width=360, javascript=javascript), stored(site)
    page = visitor.go("/triage")
    fill(page, temperature="warm", observed="seizur")
    assess(visitor, "#triage > .notice")

    expect(page.locator("#triage > .notice")).to_contain_text("temperature")
    expect(page.locator("#temperature")).to_have_value("warm")
    expect(page.locator("#pulse_rate")).to_have_value("128")
    expect(page.locator("#observed")).to_have_value("seizur")
    expect(page.locator("[name=consciousness][value=A]")).to_be_checked()
    assert stored(site) == before
    if javascript:
        expect(page.locator("#triage > .notice")).to_be_focused()
        assert visitor.barriers() == []


def test_an_impossible_value_is_said_when_the_field_is_left_and_kept_with_a_reason(visit: Visit) -> None:
    visitor = visit("ada")
    page = visitor.go("/triage")
    fill(page, temperature="98,6")
    page.locator("#temperature").blur()
    expect(page.locator("#temperature-note")).to_contain_text("between 25 and 45 °C a value can be true. Or is it °F?")
    page.select_option("#kept_temperature", "device")
    assess(visitor, RESULT)
    expect(page.locator("#result")).to_contain_text("An impossible value was kept: the device shows it.")

    page.select_option("[name=temperature_unit]", "[degF]")
    expect(page.locator("#temperature-note")).to_contain_text("NEWS2 0 points")
    assess(visitor, "#result h2:has-text('NEWS2 8')")
    expect(page.locator("#result")).not_to_contain_text("impossible")


def test_an_unusual_value_is_confirmed_where_it_stands(visit: Visit) -> None:
    visitor = visit("ada")
    page = visitor.go("/triage")
    fill(page, pulse_rate="215")
    page.press("#pulse_rate", "Tab")
    page.check("#pulse_rate-note [name=confirmed]")
    assess(visitor, RESULT)
    expect(page.locator("#result")).to_contain_text("heart rate 215/min")
    page.check("[name=on_oxygen][value=yes]")
    expect(page.locator("#changed")).to_contain_text("assess again")


def test_the_button_works_straight_from_a_field(visit: Visit) -> None:
    visitor = visit("ada")
    page = visitor.go("/triage")
    page.locator("#pulse_rate").press_sequentially("215")
    assess(visitor, "#triage > .notice")


def test_a_pressure_says_at_once_that_the_other_does_not_fit(visit: Visit) -> None:
    page = visit("ada").go("/triage")
    page.fill("#diastolic_bp", "90")
    page.fill("#systolic_bp", "80")
    page.press("#systolic_bp", "Tab")
    expect(page.locator("#diastolic_bp-note")).to_contain_text("must be below the systolic")


def test_findings_are_offered_while_one_types_and_taken_by_keyboard(visit: Visit) -> None:
    visitor = visit("ada", width=360)
    page = visitor.go("/triage")
    fill(page)
    for typed, name in (("tall st", "Tall stature"), ("arachnod", "Arachnodactyly"), ("ectopia l", "Ectopia lentis")):
        page.locator("#observed").press_sequentially(typed)
        expect(page.locator("#observed-found button").first).to_have_text(name)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#symptoms .chip", has_text=name)).to_be_visible()
        expect(page.locator("#observed")).to_be_focused()
        expect(page.locator("#observed")).to_have_value("")
    assert visitor.barriers() == []
    assess(visitor, ".diseases")
    expect(page.locator(".diseases").first).to_contain_text("Marfan")
    expect(page.locator(RESULT).first).to_be_in_viewport()

    page.get_by_role("button", name="remove Ectopia lentis").click()
    expect(page.locator("#symptoms .chip")).to_have_count(2)


def test_without_scripts_symptoms_are_typed_asked_back_and_chosen(visit: Visit) -> None:
    visitor = visit("ada", language="es", width=360, javascript=False)
    page = visitor.go("/triage")
    fill(page, observed="Tall stature, Arachnodactyly", excluded="seizur")
    assess(visitor, "#excluded-found button")
    page.locator("#excluded-found button").first.click()
    expect(page.locator("[name=excluded_term]")).to_have_value("HP:0001250")
    expect(page.locator("#temperature")).to_have_value("38,4")
    assess(visitor, RESULT)
    expect(page.locator("#result")).to_contain_text("hallazgos insuficientes (2 de al menos 3)")
    assert not visitor.is_too_wide()


def test_when_the_service_is_away_it_says_so_and_the_form_stays(visit: Visit) -> None:
    visitor = visit("ada")
    page = visitor.go("/triage")
    fill(page)
    page.route("**/triage", lambda route: route.fulfill(status=503, body="away"))
    page.click("#assess")
    expect(page.locator("#failed")).to_be_visible()
    expect(page.locator("#pulse_rate")).to_have_value("128")
    page.unroute("**/triage")
    assess(visitor, RESULT)
    expect(page.locator("#failed")).to_be_hidden()
    assert all("503" in said for said in visitor.wrong)
    visitor.wrong.clear()


def test_who_is_signed_out_meanwhile_is_led_to_the_login(visit: Visit) -> None:
    visitor = visit("ada")
    page = visitor.go("/triage")
    visitor.context.clear_cookies()
    page.fill("#pulse_rate", "80")
    page.press("#pulse_rate", "Tab")
    page.wait_for_url(re.compile("/login"))
