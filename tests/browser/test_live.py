"""What scripts make quicker: fields judged as they are left, findings while one types, keys, charts that zoom."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import PAIRS, Screen, Site, Visit, Visitor, a_case
from tests.web.pages import FILLED

TYPED = {name: FILLED[name] for name in FILLED if name not in ("sex", "on_oxygen", "consciousness", "ambulance")}
CHOSEN = {name: FILLED[name] for name in ("sex", "on_oxygen", "consciousness", "ambulance")}
RESULT = "#result .summary"
NARROW, WIDE_ES = PAIRS[0][0], PAIRS[2][1]
NARROW_BARE, WIDE_BARE = Screen("es", 360, javascript=False), PAIRS[1][1]


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


def test_the_result_beside_the_form_has_no_barrier(visit: Visit) -> None:
    visitor = visit("ada", WIDE_ES)
    page = visitor.go("/triage")
    fill(page, observed="Tall stature\nArachnodactyly\nEctopia lentis\nqwertz")
    assess(visitor, RESULT)
    assert not visitor.is_too_wide()
    assert visitor.barriers() == []


def test_an_unusual_value_is_confirmed_where_it_stands(visit: Visit) -> None:
    visitor = visit("ada", NARROW)
    page = visitor.go("/triage")
    fill(page, pulse_rate="215")
    page.press("#pulse_rate", "Tab")
    page.check("#pulse_rate-note [name=confirmed]")
    assess(visitor, RESULT)
    expect(page.locator("#result")).to_contain_text("heart rate 215/min")
    page.check("[name=on_oxygen][value=yes]")
    expect(page.locator("#changed")).to_contain_text("assess again")


def test_the_button_works_straight_from_a_field(visit: Visit) -> None:
    visitor = visit("ada", NARROW)
    page = visitor.go("/triage")
    page.locator("#pulse_rate").press_sequentially("215")
    assess(visitor, "#triage > .notice")


def test_a_pressure_says_at_once_that_the_other_does_not_fit(visit: Visit) -> None:
    page = visit("ada", NARROW).go("/triage")
    page.fill("#diastolic_bp", "90")
    page.fill("#systolic_bp", "80")
    page.press("#systolic_bp", "Tab")
    expect(page.locator("#diastolic_bp-note")).to_contain_text("must be below the systolic")


def test_an_answer_that_comes_late_takes_nothing_back_that_a_later_one_says(visit: Visit) -> None:
    page = visit("ada", NARROW).go("/triage")
    asked: list[Route] = []

    def hold_the_first(route: Route) -> None:
        asked.append(route)
        if len(asked) > 1:
            route.continue_()

    page.route("**/triage/check", hold_the_first)
    page.fill("#diastolic_bp", "90")
    page.fill("#systolic_bp", "80")
    page.press("#systolic_bp", "Tab")
    page.wait_for_timeout(300)
    asked[0].continue_()
    expect(page.locator("#diastolic_bp-note")).to_contain_text("must be below the systolic")


def test_findings_are_offered_while_one_types_and_taken_by_keyboard(visit: Visit) -> None:
    visitor = visit("ada", NARROW)
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
    visitor = visit("ada", NARROW_BARE)
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
    visitor = visit("ada", NARROW)
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
    visitor = visit("", NARROW)
    visitor.context.add_cookies(visit("ada", NARROW).context.cookies())  # type: ignore[arg-type]
    page = visitor.go("/triage")
    visitor.context.clear_cookies()
    page.fill("#pulse_rate", "80")
    page.press("#pulse_rate", "Tab")
    page.wait_for_url(re.compile("/login"))


def test_single_keys_can_be_switched_off_and_are_letters_where_one_types(site: Site, visit: Visit) -> None:
    case = a_case(site)
    page = visit("ben", NARROW).go(case.replace("/console/predictions", "/review"))
    page.click("summary")
    page.locator("#comment").press_sequentially("1 suspected")
    expect(page.locator("[name=category]:checked")).to_have_count(0)
    page.uncheck("#keys-on")
    page.locator("h1").click()
    page.keyboard.press("2")
    expect(page.locator("[name=category]:checked")).to_have_count(0)
    page.reload()
    expect(page.locator("#keys-on")).not_to_be_checked()


def test_every_chart_has_its_table_which_the_keyboard_opens(visit: Visit) -> None:
    visitor = visit("eve", WIDE_ES)
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
    zoomed = visit("eve", NARROW).go("/dashboard?language=es")
    drawn = visit("eve", WIDE_BARE).go("/dashboard")

    zoomed.locator("#flags canvas").wait_for()

    assert zoomed.locator("#flags canvas").get_attribute("aria-label")
    zoomed.locator("#flags .u-over").hover()
    expect(zoomed.locator("#flags .u-value").first).to_have_text(re.compile(r"\d{4}-\d\d-\d\d"))
    assert "." not in "".join(zoomed.locator("#flags .u-value").all_inner_texts())
    zoomed.goto(zoomed.url.replace("language=es", "language=en"))
    assert drawn.locator("#flags svg path.s0").first.is_visible()


def test_who_does_nothing_is_warned_may_stay_and_is_led_to_the_login(visit: Visit) -> None:
    visitor = visit("", NARROW)
    visitor.context.add_cookies(visit("ada", NARROW).context.cookies())  # type: ignore[arg-type]
    visitor.page.clock.install()
    page = visitor.go("/triage")
    page.clock.fast_forward("13:10")
    expect(page.locator("#ending")).to_be_visible()
    assert visitor.barriers() == []
    page.locator("#ending button").press("Enter")
    expect(page.locator("#ending")).to_be_hidden()
    page.clock.fast_forward("15:10")
    page.wait_for_url("**/login?next=%2Ftriage")


@pytest.mark.parametrize("screen", [NARROW, WIDE_BARE], ids=str)
def test_another_language_keeps_what_is_typed(visit: Visit, screen: Screen) -> None:
    page = visit("ada", screen).go("/triage")
    fill(page, observed="seizure", pulse_rate="215")
    page.locator("#triage-form [data-redraw]").press("Enter")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    for name, value in (TYPED | {"observed": "seizure", "pulse_rate": "215"}).items():
        if not name.endswith("_unit"):
            expect(page.locator(f"#{name}")).to_have_value(value)
    expect(page.locator("[name=consciousness][value=A]")).to_be_checked()
    page.locator("header [lang=en]").press("Enter")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("#pulse_rate")).to_have_value("215" if screen.javascript else "")
