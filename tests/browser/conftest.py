"""The console in a real browser: a service of its own for each file of tests, its people, and what no page may do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from werkzeug.serving import make_server

from bench.processes import free_port
from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from tests.conftest import Service, started
from tests.web.pages import FILLED, PASSWORD, send, sign_in
from tests.web.test_credentials import cds

CHROMIUM = Path("/usr/bin/chromium")
AXE = (Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
# WCAG 2.2 AA holds all of the versions and levels before it.
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
PEOPLE = {"ada": "clinician", "ben": "clinician", "eve": "steward", "root": "admin"}
WIDTHS = (360, 1280)


@dataclass
class Site:
    """A service at an address of loopback, with PEOPLE, and the sessions they already have."""

    service: Service
    address: str
    sessions: dict[str, Any] = field(default_factory=dict)


@dataclass
class Visitor:
    """One browser window and what went wrong in it."""

    site: Site
    context: BrowserContext
    page: Page
    wrong: list[str]

    def go(self, path: str) -> Page:
        """Open a page of the site."""
        self.page.goto(self.site.address + path)
        return self.page

    def barriers(self) -> list[str]:
        """What axe-core finds on the page as it is: rule and element."""
        self.page.evaluate(AXE)
        found = self.page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", list(RULES))
        return [f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]]

    def is_too_wide(self) -> bool:
        """Whether the page must be scrolled sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


Visit = Callable[..., Visitor]


@contextmanager
def serving(directory: Path, *fixtures: Any, **more: str) -> Iterator[Site]:
    """A service with PEOPLE in a thread of this process."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    more = {"CDS_CLIENT_AUTH": "required", "CDS_PUBLIC_URL": address, **more}
    with started(directory, *fixtures, **more) as service:
        for name, role in PEOPLE.items():
            cds(service, "users", "add", name, "--tenant", "north", "--role", role)
        server = make_server("127.0.0.1", port, service.app, threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Site(service, address)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, predictor: Predictor, tables: CodeTables
) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("site"), empty_database, predictor, tables) as found:
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium; Playwright brings none."""
    if not CHROMIUM.exists():
        pytest.skip("no Chromium is installed here: the pages are not seen in a browser")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def visit(site: Site, chromium: Browser) -> Iterator[Visit]:
    """Opens a window: `visit("ada", language="es", width=360, javascript=False)`; signed in unless the name is empty.

    When the test ends no window may have written an error to its console or asked another host for anything.
    """
    opened: list[Visitor] = []

    def visit(name: str = "", *, language: str = "en", width: int = 1280, javascript: bool = True) -> Visitor:
        if name and name not in site.sessions:
            site.sessions[name] = _sessions(site, chromium, name)
        context = chromium.new_context(
            locale=language,
            viewport={"width": width, "height": 800},
            java_script_enabled=javascript,
            storage_state=cast(Any, site.sessions.get(name)),
        )
        context.set_default_timeout(10_000)
        visitor = Visitor(site, context, context.new_page(), [])
        opened.append(visitor)
        _watch(visitor)
        return visitor

    yield visit
    for visitor in opened:
        visitor.context.close()
    assert [one for visitor in opened for one in visitor.wrong] == []


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


def _sessions(site: Site, chromium: Browser, name: str) -> Any:
    """The cookie after signing in by the form."""
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"{site.address}/login")
        page.fill("#name", name)
        page.fill("#password", PASSWORD)
        page.press("#password", "Enter")
        page.wait_for_url("**/*")
        return context.storage_state()


@pytest.fixture(scope="module")
def prediction_path(site: Site) -> str:
    """The page of a stored prediction."""
    browser = site.service.app.test_client()
    sign_in(browser, "ada")
    shown = send(browser, "/triage", **FILLED).get_data(as_text=True)
    return "/console/predictions/" + shown.split("/console/predictions/")[1].split('"')[0]
