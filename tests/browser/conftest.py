"""The console in a real browser: one filled service for a file of tests, its people, and what no page may do."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from werkzeug.serving import make_server

from bench.processes import free_port
from cds_service.domain.codes import CodeTables
from cds_service.fhir.client import FhirClient
from cds_service.inference.predictor import Predictor
from tests.conftest import Service, started
from tests.published import models_dir, publish
from tests.storage.made import made
from tests.web.ehr import CLIENT_ID, Ehr, an_ehr
from tests.web.pages import FILLED, send, sign_in
from tests.web.test_credentials import cds
from tests.web.tokens import clients_file

CHROMIUM = Path("/usr/bin/chromium")
AXE = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
# WCAG 2.2 AA holds all of the versions and levels before it.
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
JUDGED = """tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']}).then(
    found => found.violations.flatMap(one => one.nodes.map(node => `${one.id}: ${node.html}`)))"""
PEOPLE = {"ada": "clinician", "ben": "clinician", "eve": "steward"}


class Screen(NamedTuple):
    """How a page is looked at."""

    language: str
    width: int
    javascript: bool

    def __str__(self) -> str:
        """The name of a case."""
        return f"{self.language}-{self.width}-{'scripts' if self.javascript else 'no scripts'}"


# Each pair has both languages, both widths, and scripts with and without; of all three each two meet in one of them.
PAIRS = (
    (Screen("en", 360, javascript=True), Screen("es", 1280, javascript=False)),
    (Screen("es", 360, javascript=True), Screen("en", 1280, javascript=False)),
    (Screen("en", 360, javascript=False), Screen("es", 1280, javascript=True)),
)
NARROW = PAIRS[0][0]


def on_screens(cases: Sequence[Any]) -> list[tuple[Any, Screen]]:
    """Each case on a pair of screens."""
    return [(case, screen) for place, case in enumerate(cases) for screen in PAIRS[place % len(PAIRS)]]


@dataclass
class Site:
    """A service at an address of loopback, with PEOPLE, the sessions they already have, and the EHR it is known to."""

    service: Service
    address: str
    ehr: Ehr
    sessions: dict[str, Any] = field(default_factory=dict)


@dataclass
class Visitor:
    """One browser window and what went wrong in it."""

    site: Site
    context: BrowserContext
    page: Page
    screen: Screen
    reader: Page
    wrong: list[str]

    def go(self, path: str) -> Page:
        """Open a page of the site."""
        self.page.goto(self.site.address + path)
        return self.page

    def barriers(self) -> list[str]:
        """What axe-core finds on the page as it is: rule and element.

        axe cannot run where scripts may not: there it is given what the page became, in a window of the same size.
        """
        page = self.page
        if not self.screen.javascript:
            page = self.reader
            page.set_viewport_size({"width": self.screen.width, "height": 800})
            page.set_content(re.sub(r"<script[^>]*></script>", "", self.page.content()))
        page.evaluate(AXE)
        return cast(list[str], page.evaluate(JUDGED, list(RULES)))

    def is_too_wide(self) -> bool:
        """Whether the page must be scrolled sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


Visit = Callable[..., Visitor]


@contextmanager
def serving(service: Service, port: int) -> Iterator[None]:
    """The service answers at the port from a thread of this process."""
    server = make_server("127.0.0.1", port, service.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, predictor: Predictor, tables: CodeTables
) -> Iterator[Site]:
    """A service with PEOPLE, forty visits over ten days, a version the gate approved, and an EHR it is an app of."""
    directory, port = tmp_path_factory.mktemp("site"), free_port()
    publish(models := models_dir(directory), "1.1.0")
    with an_ehr(lambda: datetime.now(UTC)) as ehr, pytest.MonkeyPatch.context() as patched:
        path = clients_file(directory, more=f"smart = {{ iss = '{ehr.iss}', client_id = '{CLIENT_ID}' }}")
        patched.setenv("CDS_ALLOW_HTTP_FHIR", "yes")
        settings = {
            "CDS_CLIENT_AUTH": "required",
            "CDS_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "CDS_MODELS_DIR": str(models),
            "CDS_CLIENTS_FILE": str(path),
            "CDS_ALLOW_HTTP_FHIR": "yes",
        }
        with started(directory, empty_database, predictor, tables, **settings) as service:
            service.runtime.fhir = FhirClient(tls=ssl.create_default_context())
            _fill(service)
            with serving(service, port):
                yield Site(service, settings["CDS_PUBLIC_URL"], ehr)


def _fill(service: Service) -> None:
    for name, role in PEOPLE.items():
        cds(service, "users", "add", name, "--tenant", "north", "--role", role)
    for number in range(40):
        at = service.runtime.now() - timedelta(hours=6 * number + 1)
        # Every fifth, of four a day: the share moves from day to day, and a flat line is nothing to see.
        service.runtime.writer.submit(made(at, ("high", "low")[number % 5 > 0], patient=f"p-{number}"))
    service.runtime.beside.counting.count()
    assert service.runtime.beside.rare.wait(60)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium; Playwright brings none."""
    if not CHROMIUM.exists():
        pytest.skip("no Chromium is installed here: the pages are not seen in a browser")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def reader(site: Site, chromium: Browser) -> Page:
    """A page with scripts, for axe to read what pages without them became."""
    page = chromium.new_context().new_page()
    page.goto(f"{site.address}/login")
    return page


@pytest.fixture(scope="module")
def windows(chromium: Browser) -> Iterator[dict[tuple[str, Screen], Visitor]]:
    """The windows that are open, by who looks and how: opening one costs as much as a page."""
    found: dict[tuple[str, Screen], Visitor] = {}
    yield found
    for visitor in found.values():
        visitor.context.close()


@pytest.fixture
def visit(site: Site, reader: Page, windows: dict[tuple[str, Screen], Visitor]) -> Iterator[Visit]:
    """A window: `visit("ada", Screen("es", 360, False))`; of somebody signed in unless the name is empty.

    When the test ends no window may have written an error to its console or asked another host for anything.
    """
    nobodys: list[Visitor] = []

    def visit(name: str = "", screen: Screen = NARROW) -> Visitor:
        if not name:
            nobodys.append(_opened(site, reader, screen))
            return nobodys[-1]
        if name not in site.sessions:
            site.sessions[name] = _session(site, name)
        if (name, screen) not in windows:
            windows[name, screen] = _opened(site, reader, screen, site.sessions[name])
        return windows[name, screen]

    yield visit
    wrong = [one for visitor in (*nobodys, *windows.values()) for one in visitor.wrong]
    for visitor in nobodys:
        visitor.context.close()
    for visitor in windows.values():
        visitor.wrong.clear()
    assert wrong == []


def _opened(site: Site, reader: Page, screen: Screen, session: Any = None) -> Visitor:
    browser = cast(Browser, reader.context.browser)
    context = browser.new_context(
        locale=screen.language,
        viewport={"width": screen.width, "height": 800},
        java_script_enabled=screen.javascript,
        storage_state=session,
    )
    context.set_default_timeout(10_000)
    visitor = Visitor(site, context, context.new_page(), screen, reader, [])
    _watch(visitor)
    return visitor


def _watch(visitor: Visitor) -> None:
    def heard(said: ConsoleMessage) -> None:
        # The page's own status, 404 say, is told as an error; whatever else is wrong on it counts.
        is_status = said.text.startswith("Failed to load resource") and said.location["url"] == visitor.page.url
        if said.type == "error" and not is_status:
            visitor.wrong.append(said.text)

    visitor.page.on("console", heard)
    visitor.page.on("pageerror", lambda error: visitor.wrong.append(str(error)))
    visitor.context.on(
        "request",
        lambda asked: None if asked.url.startswith(visitor.site.address) else visitor.wrong.append(asked.url),
    )


def _session(site: Site, name: str) -> Any:
    """The cookie of somebody who signed in."""
    browser = site.service.app.test_client()
    sign_in(browser, name)
    cookie = browser.get_cookie("cds")
    assert cookie is not None
    return {"cookies": [{"name": "cds", "value": cookie.value, "url": site.address, "sameSite": "Lax"}]}


def a_case(site: Site, **values: str) -> str:
    """The address of a prediction that ada entered."""
    browser = site.service.app.test_client()
    sign_in(browser, "ada")
    shown = send(browser, "/triage", **(FILLED | values)).get_data(as_text=True)
    return "/console/predictions/" + shown.split("/console/predictions/")[1].split('"')[0]


@pytest.fixture(scope="module")
def prediction_path(site: Site) -> str:
    """The page of a stored prediction."""
    return a_case(site)
