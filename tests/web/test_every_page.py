"""What holds of every page: it loads nothing from elsewhere, is kept nowhere, has no code in it, and is small."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from cds_service.access import ACCESS
from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from tests.conftest import Service, started
from tests.web.pages import FILLED, send, sign_in
from tests.web.test_credentials import add

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "connect-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
}
# What the access table calls a page and is none to look at: a redirection, and the numbers of a chart.
NO_PAGES = {"console.first_page", "console.dashboard_series"}
MOST_BYTES = 60_000


@pytest.fixture(scope="module")
def pages(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, predictor: Predictor, tables: CodeTables
) -> Iterator[dict[str, TestResponse]]:
    """Every page that needs no argument, the filled form and its prediction, as an admin sees them."""
    directory = tmp_path_factory.mktemp("pages")
    with started(directory, empty_database, predictor, tables, CDS_CLIENT_AUTH="required") as service:
        add(service, "root", "admin")
        browser = service.client
        found = {"/login": browser.get("/login")}
        sign_in(browser, "root")
        found["the result"] = send(browser, "/triage", **FILLED)
        prediction = re.findall(r"/console/predictions/[0-9a-f-]{36}", found["the result"].text)[0]
        yield found | {address: browser.get(address) for address in (*_addresses(service), prediction)}


def _addresses(service: Service) -> list[str]:
    return [
        rule.rule
        for rule in service.app.url_map.iter_rules()
        if ACCESS[rule.endpoint].scope == "page"
        and "GET" in (rule.methods or ())
        and not rule.arguments
        and rule.endpoint not in NO_PAGES
    ]


def test_the_pages_are_there(pages: dict[str, TestResponse]) -> None:
    assert {"/triage", "/review", "/review/conflicts", "/review/confirmations", "/dashboard", "/models"} <= set(pages)
    assert {address: page.status_code for address, page in pages.items() if page.status_code != 200} == {}


def test_pages_load_nothing_from_elsewhere_and_are_kept_nowhere(pages: dict[str, TestResponse]) -> None:
    for address, page in pages.items():
        assert set(page.headers["Content-Security-Policy"].split("; ")) == POLICY, address
        kept = (page.headers["Cache-Control"], page.headers["Referrer-Policy"])
        assert kept == ("no-store", "no-referrer"), address


def test_no_page_has_code_or_style_in_it(pages: dict[str, TestResponse]) -> None:
    inline = r"<script(?![^>]* src=)[^>]*>|<style|<[^>]* style=|<[^>]* on[a-z]+=|src=\"https?:"
    assert {address: found for address, page in pages.items() if (found := re.findall(inline, page.text))} == {}


def test_every_page_is_small(pages: dict[str, TestResponse]) -> None:
    sizes = {address: len(gzip.compress(page.data)) for address, page in pages.items()}
    assert {address: size for address, size in sizes.items() if size >= MOST_BYTES} == {}
