"""What people come to the console for, each from its first page to its result, done by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from playwright.sync_api import Page, expect

from cds_service.i18n import translator
from tests.browser.conftest import Screen, Site, Visit, Visitor, a_case
from tests.browser.keyboard import Keyboard
from tests.web.calls import PATIENT, card, fixture
from tests.web.pages import FILLED, PASSWORD, send, sign_in
from tests.web.test_confirmations import MARFANOID
from tests.web.test_credentials import token
from tests.web.tokens import a_token

CHOSEN = ("sex", "on_oxygen", "consciousness", "ambulance")


@dataclass
class Walk:
    """One flow as one person goes it, on one kind of screen."""

    visit: Visit
    site: Site
    screen: Screen

    def t(self, text: str) -> str:
        """The words in the page's language."""
        return translator(self.screen.language)(text)

    def enter(self, name: str, path: str) -> tuple[Page, Keyboard]:
        """A page as this person sees it, in the language of their browser."""
        self.visitor: Visitor = self.visit(name, self.screen)
        page = self.visitor.go(path)
        expect(page.locator("html")).to_have_attribute("lang", self.screen.language)
        return page, Keyboard(page)

    def stands_well(self) -> None:
        """The page as it is now has no barrier and need not be scrolled sideways."""
        assert self.visitor.barriers() == []
        assert not self.visitor.is_too_wide()

    def main(self, page: Page, text: str) -> None:
        """The page says so."""
        expect(page.locator("main")).to_contain_text(self.t(text))


def sign_in_and_out(walk: Walk) -> None:
    page, keyboard = walk.enter("", "/triage")
    keyboard.type("#name", "ada")
    keyboard.type("#password", "not my password")
    page.keyboard.press("Enter")
    walk.main(page, "Name and password do not fit. Try again.")
    walk.stands_well()
    keyboard.type("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/triage*")
    expect(page.locator(".who")).to_contain_text("ada")
    keyboard.press(".who button")
    page.wait_for_url("**/login")
    walk.visitor.go("/triage")
    assert "/login?next=" in page.url


def triage(walk: Walk) -> None:
    """A value that cannot be read, one that cannot be true, and the result; nothing typed is lost on the way."""
    page, keyboard = walk.enter("ada", "/triage")
    day = FILLED["birth_date"].split("-")
    typed = FILLED | {"birth_date": "".join([*day[1:], day[0]]), "temperature": "warm"}
    for name in page.locator("#triage-form :is(input, select):not([type=hidden])").evaluate_all(
        "fields => [...new Set(fields.map(one => one.name))]"
    ):
        if name in CHOSEN:
            keyboard.choose(name, typed[name])
        elif name in typed and name != "temperature_unit":
            keyboard.type(f"#{name}", typed[name])
    keyboard.press("#assess")
    said = page.locator("#triage > .notice")
    expect(said).to_contain_text(walk.t("Nothing was stored: these fields must be mended."))
    for name in ("patient_id", "patient_name", "birth_date", "pulse_rate", "complaint"):
        expect(page.locator(f"#{name}")).to_have_value(FILLED[name])
    expect(page.locator("#temperature")).to_have_value("warm")
    expect(page.locator("[name=consciousness][value=A]")).to_be_checked()
    walk.stands_well()
    keyboard.type("#temperature", "98,6")
    page.evaluate("document.querySelector('#triage').dataset.before = ''")
    page.keyboard.press("Enter")  # asks for a check of the field and for the assessment, whose form comes last
    expect(page.locator("#triage:not([data-before]) #kept_temperature")).to_be_visible()
    keyboard.pick("#kept_temperature", "device")
    keyboard.press("#assess")
    walk.main(page, "An impossible value was kept: the device shows it.")
    expect(page.locator(".who-is-it")).to_contain_text("Ada Ejemplo · MRN-77 · 1955-03-02")
    expect(page.locator("#result h2", has_text="NEWS2")).to_contain_text("8–11")
    walk.stands_well()


def say_what_was_true(walk: Walk) -> None:
    """Feedback and validation on a prediction's page, and the score made again."""
    page, keyboard = walk.enter("ada", a_case(walk.site))
    keyboard.press("#feedback button")
    walk.main(page, "Not stored: choose a reason.")
    walk.stands_well()
    keyboard.pick("#reason", str(page.locator("#reason option").nth(1).get_attribute("value")))
    keyboard.type("#feedback-comment", "seen at the bedside")
    page.keyboard.press("Enter")
    expect(page.locator("#feedback")).to_contain_text(walk.t("Last said of it: %(outcome)s.").partition("%")[0])
    keyboard.pick("#category", "acute")
    keyboard.type("#comment", "pneumonia on the film")
    page.keyboard.press("Enter")
    expect(page.locator("#labels tbody tr")).to_have_count(1)
    expect(page.locator("#labels tbody")).to_contain_text("pneumonia on the film")
    keyboard.press("form[action$=rescore] button")
    expect(page.locator("#rescored .notice")).to_be_visible()
    walk.stands_well()


def review(walk: Walk) -> None:
    """Blind, then compared and corrected; the next skipped, and one passed on as unsure."""
    for number in range(3):
        a_case(walk.site, patient_id=f"MRN-{walk.screen}-{number}")
    page, keyboard = walk.enter("ben", "/review")
    first = _case(page)
    expect(page.locator("main")).not_to_contain_text("NEWS2")
    walk.stands_well()
    _answer(walk, keyboard, "2", "mild")
    page.wait_for_url(f"**/review/{first}")
    expect(page.locator(".result")).to_contain_text("NEWS2")
    expect(page.locator("[name=category]:checked")).to_have_value("mild")
    walk.stands_well()
    _answer(walk, keyboard, "3", "acute")
    expect(page.locator("#review + section tbody tr")).to_have_count(2)
    page.wait_for_load_state()
    _hit(walk, keyboard, "n")
    page.wait_for_url("**/review")
    marks = {}
    for mark in ("skip", "unsure"):
        marks[_case(page)] = mark
        with page.expect_navigation():
            _hit(walk, keyboard, mark[0])
    rows = walk.site.service.stored.rows("SELECT prediction_id, mark FROM review_marks WHERE actor = 'ben'")
    stored = {str(case).replace("-", ""): mark for case, mark in rows if mark in ("skip", "unsure")}
    assert {case.replace("-", ""): mark for case, mark in marks.items()}.items() <= stored.items()


def adjudicate(walk: Walk) -> None:
    """Labels that disagree are found in their list, and a steward decides."""
    case = a_case(walk.site)
    for who, category in (("ada", "acute"), ("ben", "mild")):
        browser = walk.site.service.app.test_client()
        sign_in(browser, who)
        assert send(browser, f"{case}/labels", case, category=category).status_code == 303
    page, keyboard = walk.enter("eve", "/review/conflicts")
    walk.stands_well()
    keyboard.follow(f"a[href*='{case}']")
    keyboard.choose("category", "acute")
    keyboard.type("#why", "the film shows it")
    page.keyboard.press("Enter")
    expect(page.locator("#labels tbody tr")).to_have_count(3)
    expect(page.locator("#labels")).not_to_contain_text(walk.t("These labels disagree."))
    walk.stands_well()


def confirm_a_rare_disease(walk: Walk) -> None:
    """One person finds and names it, a second confirms."""
    headers = {"Authorization": token(walk.site.service, "--user", "ada", "--scope", "predict")}
    sent = walk.site.service.client.post("/rare-diseases", json={"observed": MARFANOID}, headers=headers)
    page, keyboard = walk.enter("ada", f"/console/predictions/{sent.get_json()['id']}")
    keyboard.type("#diagnosis", "marfan")
    if not walk.screen.javascript:
        keyboard.press("[name=search]")
    marfan = page.get_by_text("558 Marfan syndrome (ORPHA)")
    expect(marfan).to_be_visible()
    keyboard.choose("coding", str(marfan.locator("input").get_attribute("value")))
    walk.stands_well()
    keyboard.press("#labels .buttons button")
    expect(page.locator("#labels tbody")).to_contain_text("558 Marfan syndrome (ORPHA)")

    page, keyboard = walk.enter("ben", "/review/confirmations")
    walk.stands_well()
    keyboard.follow("tbody a")
    keyboard.follow("form[action$=confirmations] button")
    expect(page.locator("#labels")).to_contain_text(walk.t("You confirmed: %(what)s.").partition("%")[0])
    walk.stands_well()


def other_days(walk: Walk) -> None:
    """The dashboard of a week by a link, of a day by the form; a chart's table; the test data, marked."""
    page, keyboard = walk.enter("eve", "/dashboard")
    month = page.locator("#cards .lead").inner_text()
    keyboard.follow(".ranges a[href*='days=7']")
    week = page.locator("#cards .lead").inner_text()
    keyboard.press("#flags summary")
    expect(page.locator("#flags details table")).to_be_visible()
    walk.stands_well()
    walk.visitor.go("/dashboard")
    today = page.locator("#to").input_value()
    year, month_, day = today.split("-")
    keyboard.type("#from", f"{month_}{day}{year}")
    keyboard.tick("#data")
    keyboard.follow(".filter > button")
    assert week != month
    expect(page.locator("#from")).to_have_value(today)
    walk.main(page, "nothing here is about a patient.")


def decide_about_models(walk: Walk) -> None:
    """Compared, refused without the password, promoted, and rolled back with a reason."""
    page, keyboard = walk.enter("eve", "/models")
    keyboard.follow("a[href$='risk/compare']")
    expect(page.locator("h1")).to_contain_text(walk.t("Champion against challenger"))
    walk.stands_well()
    keyboard.follow("main a[href$='models#risk']")
    _decide(keyboard, "promote", "validated here", "not my password")
    expect(page.get_by_role("alert")).to_contain_text(walk.t("Refused"))
    expect(page.locator("#risk-promote-reason")).to_have_value("validated here")
    expect(page.locator("#risk-promote-password")).to_have_value("")
    walk.stands_well()
    for action, reason, version in (("promote", "validated here", "1.1.0"), ("rollback", "worse than it was", "1.0.0")):
        _decide(keyboard, action, reason, PASSWORD)
        expect(page.locator("#risk .lead")).to_have_text(walk.t("In force: %(version)s") % {"version": version})
        expect(page.get_by_role("cell", name=reason).first).to_be_visible()


def open_a_card(walk: Walk) -> None:
    """A card's link opens its prediction from the record, for the patient who is open there alone; and out again."""
    ehr, site = walk.site.ehr, walk.site
    shown = card(site.service.client, fixture(), Authorization=f"Bearer {_ehr_token(site)}")
    [link] = [one for one in shown["links"] if one["type"] == "smart"]
    for patient in ("someone-else", PATIENT):
        ehr.context, ehr.patient = link["appContext"], patient
        walk.visitor = visitor = walk.visit("", walk.screen)
        page = visitor.go(f"{link['url'].removeprefix(site.address)}?{urlencode({'iss': ehr.iss, 'launch': 'card'})}")
        visitor.wrong[:] = [one for one in visitor.wrong if not one.startswith(f"{ehr.base}/authorize?")]
        walk.stands_well()
        if patient != PATIENT:
            expect(page.locator("main")).to_contain_text({"en": "another patient", "es": "otro paciente"}[_lang(page)])
            expect(page.locator("main")).not_to_contain_text(PATIENT)
    assert page.url == f"{site.address}/console/predictions/{shown['uuid']}"
    expect(page.locator("header")).to_contain_text("Practitioner/ana-1")
    expect(page.locator("main")).to_contain_text(PATIENT)
    expect(page.locator("nav a[href$='/triage']")).to_have_count(0)
    Keyboard(page).press(".who button")
    page.wait_for_url("**/login")


Flow = Callable[[Walk], None]
FLOWS: tuple[Flow, ...] = (
    sign_in_and_out,
    triage,
    say_what_was_true,
    review,
    adjudicate,
    confirm_a_rare_disease,
    other_days,
    decide_about_models,
    open_a_card,
)


def _case(page: Page) -> str:
    return str(page.locator("#review").get_attribute("action")).rpartition("/")[2]


def _hit(walk: Walk, keyboard: Keyboard, key: str) -> None:
    """The key that is marked where scripts run, the button it is marked on where they do not."""
    if walk.screen.javascript:
        keyboard.page.keyboard.press(key)
    else:
        keyboard.press(f":is(button, a)[data-key={key}]")


def _answer(walk: Walk, keyboard: Keyboard, key: str, category: str) -> None:
    if walk.screen.javascript:
        keyboard.page.keyboard.press(key)
    else:
        keyboard.choose("category", category)
    _hit(walk, keyboard, "Enter")


def _lang(page: Page) -> str:
    return str(page.locator("html").get_attribute("lang"))


def _ehr_token(site: Site) -> str:
    now = int(datetime.now(UTC).timestamp())
    return a_token(aud=f"{site.address}/cds-services/vitals-risk", iat=now, exp=now + 300)


def _decide(keyboard: Keyboard, form: str, reason: str, password: str) -> None:
    field = keyboard.page.locator(f"#risk-{form}-reason")
    if not field.is_visible():
        keyboard.press(f"details:has(form[action$='{form}']) > summary")
    keyboard.type(f"#risk-{form}-reason", reason)
    keyboard.type(f"#risk-{form}-password", password)
    with keyboard.page.expect_navigation():
        keyboard.page.keyboard.press("Enter")
