"""The review queue and the page of a prediction in a real browser: by keyboard, without scripts, narrow, in Spanish."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, Visit, Visitor
from tests.web.pages import FILLED, send, sign_in
from tests.web.test_confirmations import MARFANOID
from tests.web.test_credentials import token


def a_case(site: Site, **values: str) -> str:
    """The id of a prediction that ada entered."""
    browser = site.service.app.test_client()
    sign_in(browser, "ada")
    shown = send(browser, "/triage", **(FILLED | values)).get_data(as_text=True)
    return re.findall(r"/console/predictions/([0-9a-f-]{36})", shown)[0]


def a_label(site: Site, case: str, who: str, **fields: str) -> None:
    browser = site.service.app.test_client()
    sign_in(browser, who)
    address = f"/console/predictions/{case}"
    assert send(browser, f"{address}/labels", address, **fields).status_code == 303


def stands_well(visitor: Visitor) -> None:
    assert visitor.barriers() == []
    assert not visitor.is_too_wide()


def case_of(page: Page) -> str:
    return page.locator("#review").get_attribute("action").rpartition("/")[2]  # type: ignore[union-attr]


@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("es", 360)])
def test_a_whole_review_by_keyboard_is_blind_and_then_compared(
    site: Site, visit: Visit, language: str, width: int
) -> None:
    for number in range(3):
        a_case(site, patient_id=f"MRN-{language}-{number}")
    visitor = visit("ben", language=language, width=width)
    page = visitor.go("/review")
    first = case_of(page)
    expect(page.locator("main")).not_to_contain_text("NEWS2")
    stands_well(visitor)

    page.keyboard.press("2")
    page.keyboard.press("Enter")

    page.wait_for_url(f"**/review/{first}")
    expect(page.locator(".result")).to_contain_text("NEWS2")
    expect(page.locator("[name=category]:checked")).to_have_value("mild")
    stands_well(visitor)
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    expect(page.locator("#review + section tbody tr")).to_have_count(2)
    page.wait_for_load_state("networkidle")
    page.keyboard.press("n")
    page.wait_for_url("**/review")
    second = case_of(page)
    page.keyboard.press("s")
    page.wait_for_function("was => !document.querySelector('#review').action.endsWith(was)", arg=second)
    third = case_of(page)
    page.keyboard.press("u")
    page.wait_for_function(
        "was => !document.querySelector('#review') || !document.querySelector('#review').action.endsWith(was)",
        arg=third,
    )
    assert len({first, second, third}) == 3
    rows = site.service.stored.rows("SELECT mark FROM review_marks WHERE actor = 'ben' AND mark <> 'seen'")
    assert {mark for (mark,) in rows} == {"skip", "unsure"}


def test_single_keys_can_be_switched_off_and_are_letters_where_one_types(site: Site, visit: Visit) -> None:
    case = a_case(site)
    page = visit("ben").go(f"/review/{case}")
    page.click("summary")
    page.locator("#comment").press_sequentially("1 suspected")
    expect(page.locator("[name=category]:checked")).to_have_count(0)
    page.uncheck("#keys-on")
    page.locator("h1").click()
    page.keyboard.press("2")
    expect(page.locator("[name=category]:checked")).to_have_count(0)
    page.reload()
    expect(page.locator("#keys-on")).not_to_be_checked()


def test_without_scripts_everything_has_its_button(site: Site, visit: Visit) -> None:
    case = a_case(site)
    visitor = visit("ben", javascript=False, width=360)
    page = visitor.go(f"/review/{case}")
    page.click("summary")
    page.fill("#diagnosis", "pneumonia")
    page.click("[name=search]")
    page.check("text=J18 pneumonia (ICD-10)")
    page.check("[name=category][value=acute]")
    page.click("button:has-text('Store'):visible >> nth=-1")
    expect(page.locator(".result")).to_contain_text("NEWS2")
    expect(page.locator("main")).to_contain_text("J18 pneumonia (ICD-10)")
    page.click("text=Next case >> nth=-1")
    page.wait_for_url("**/review")


def test_labels_that_disagree_are_decided_by_a_steward(site: Site, visit: Visit) -> None:
    case = a_case(site)
    a_label(site, case, "ada", category="acute")
    a_label(site, case, "ben", category="mild")
    visitor = visit("eve", width=360)
    page = visitor.go("/review/conflicts")
    stands_well(visitor)
    page.click(f"a[href*='{case}']")
    page.check("[name=category][value=acute]")
    page.click("text=Decide")
    expect(page.locator("#labels tbody tr")).to_have_count(3)
    expect(page.locator("#labels")).not_to_contain_text("disagree")
    stands_well(visitor)


def test_a_rare_disease_is_found_while_typing_and_confirmed_by_a_second_person(site: Site, visit: Visit) -> None:
    assert site.service.runtime.rare.wait(30)
    headers = {"Authorization": token(site.service, "--user", "ada", "--scope", "predict")}
    sent = site.service.client.post("/rare-diseases", json={"observed": MARFANOID}, headers=headers)
    address = f"/console/predictions/{sent.get_json()['id']}"
    visitor = visit("ada")
    page = visitor.go(address)
    page.locator("#diagnosis").press_sequentially("marfan")
    page.check("text=558 Marfan syndrome (ORPHA)")
    stands_well(visitor)
    page.click("#labels button:has-text('Store'):visible >> nth=-1")
    expect(page.locator("#labels tbody")).to_contain_text("558 Marfan syndrome (ORPHA)")

    second = visit("ben", language="es", width=360)
    page = second.go("/review/confirmations")
    stands_well(second)
    page.locator("tbody a").first.click()
    page.click("button:has-text('Confirmar')")
    expect(page.locator("#labels")).to_contain_text("Usted confirmó")
    stands_well(second)


def test_a_prediction_is_scored_again_in_its_place(visit: Visit, prediction_path: str) -> None:
    visitor = visit("ada")
    page = visitor.go(prediction_path)
    page.click("text=Score it again")
    expect(page.locator("#rescored")).to_contain_text("the same to the last bit")
    assert page.url.endswith(prediction_path)
    stands_well(visitor)
