"""Pictures of the console for the documentation, taken in Chromium from a rehearsed hospital: nobody in them exists.

python -m tests.browser.pictures DIRECTORY
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import CHROMIUM
from tests.conftest import CDS, REPOSITORY
from tests.web.pages import FILLED

DEMO = (*CDS, "demo", "--seed", "7", "--within", "3600", "--keep", "--json")
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 360, "height": 740}
SYMPTOMS = "fever\nseizure\nhepatomegaly"


@contextmanager
def rehearsed() -> Iterator[tuple[str, str]]:
    """Address and password of a rehearsed hospital that runs until the block ends."""
    with subprocess.Popen(DEMO, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            told = json.loads(process.stdout.readline())
            yield told["address"], told["password"]
        finally:
            process.send_signal(signal.SIGTERM)


def signed_in(browser: Browser, address: str, password: str, name: str, size: dict[str, int]) -> Page:
    """A window of somebody who signed in."""
    page = browser.new_context(viewport=size, locale="en").new_page()  # type: ignore[arg-type]
    page.goto(f"{address}/login")
    page.fill("#name", name)
    page.fill("#password", password)
    page.press("#password", "Enter")
    page.wait_for_load_state()
    return page


def fill_triage(page: Page, address: str) -> None:
    """The form as a nurse fills it, and its result."""
    page.goto(f"{address}/triage")
    for name, value in {**FILLED, "observed": SYMPTOMS}.items():
        field = page.locator(f"main [name={name}]")
        if field.count() == 0:
            continue
        kind = field.first.evaluate("one => one.type")
        if kind == "radio":
            page.locator(f"main [name={name}][value='{value}']").check()
        elif kind.startswith("select"):
            field.first.select_option(value)
        else:
            field.first.fill(value)
    page.get_by_role("button", name="Assess").click()
    page.get_by_text(re.compile("Open this prediction")).wait_for()


def take(directory: Path) -> None:
    """Each picture by its name."""
    directory.mkdir(parents=True, exist_ok=True)
    with rehearsed() as (address, password), sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tablet = signed_in(browser, address, password, "demo-clinician", NARROW)
        fill_triage(tablet, address)
        tablet.screenshot(path=directory / "triage-narrow.png")
        clinician = signed_in(browser, address, password, "demo-clinician", WIDE)
        fill_triage(clinician, address)
        clinician.screenshot(path=directory / "triage.png")
        clinician.get_by_text(re.compile("Open this prediction")).click()
        clinician.wait_for_load_state()
        clinician.screenshot(path=directory / "prediction.png")
        clinician.goto(f"{address}/review")
        clinician.screenshot(path=directory / "review.png")
        steward = signed_in(browser, address, password, "demo-steward", WIDE)
        for name in ("dashboard", "models"):
            steward.goto(f"{address}/{name}")
            steward.wait_for_load_state("networkidle")
            steward.screenshot(path=directory / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]))
