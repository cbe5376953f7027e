"""What the dashboard says is what was counted: of the caller's own tenant, and test data only where it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from flask.testing import FlaskClient

from cds_service.cdshooks.wording import words
from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from cds_service.web.console.panel import Told
from cds_service.web.console.plots import lines
from tests.conftest import Clock, Service, started
from tests.storage.made import made
from tests.web.pages import PASSWORD, sign_in, text_of
from tests.web.test_credentials import cds


@pytest.fixture
def ward(
    tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> Iterator[Service]:
    with started(tmp_path, empty_database, predictor, tables, CDS_CLIENT_AUTH="required") as service:
        for name, role, tenant in (
            ("eve", "steward", "north"),
            ("sam", "steward", "south"),
            ("ada", "clinician", "north"),
        ):
            cds(service, "users", "add", name, "--tenant", tenant, "--role", role)
        for number in range(12):
            at = clock.moment - timedelta(minutes=5 * number + 1)
            service.runtime.writer.submit(made(at, "high" if number < 3 else "low", patient=f"p-{number}"))
        service.runtime.writer.submit(made(clock.moment - timedelta(minutes=3), "high", environment="test"))
        yield service


def opened(service: Service, name: str) -> FlaskClient:
    browser = service.client
    sign_in(browser, name, PASSWORD)
    return browser


def test_what_was_counted_and_what_came_since_are_shown_together(ward: Service, clock: Clock) -> None:
    ward.runtime.beside.counting.count()
    clock.moment += timedelta(seconds=5)
    ward.runtime.writer.submit(made(clock.moment - timedelta(seconds=1), "high", patient="p-20"))

    shown = text_of(opened(ward, "eve").get("/dashboard"))

    assert "30.8 of 100 visits flagged (12.7 – 57.6)" in shown
    assert "13 cards shown" in shown
    assert "More is flagged than was approved: 30.8 of 100 visits against 5.0." in shown
    assert "not enough labels" in shown


def test_another_tenant_and_test_data_are_not_counted_in(ward: Service) -> None:
    south, test = (
        text_of(opened(ward, name).get(address))
        for name, address in (("sam", "/dashboard"), ("eve", "/dashboard?data=test"))
    )

    assert "No visits yet" in south
    assert "Test data" in test
    assert "nothing here is about a patient" in test
    assert "1 cards shown" in test


@pytest.mark.parametrize(
    "address", ["?days=8", "?from=yesterday", "?from=2026-03-20&to=2026-03-01", "?from=2020-01-01"]
)
def test_a_range_that_is_none_is_refused(ward: Service, address: str) -> None:
    assert opened(ward, "eve").get(f"/dashboard{address}").status_code == 400


@pytest.mark.parametrize(
    ("address", "first"),
    [("?to=2026-03-01", "2026-01-31"), ("?from=2026-03-02", "2026-03-02"), ("?to=0001-01-05", "0001-01-01")],
)
def test_half_a_range_is_filled_in(ward: Service, address: str, first: str) -> None:
    page = opened(ward, "eve").get(f"/dashboard{address}")
    assert page.status_code == 200
    assert f'name="from" value="{first}"' in page.text


def test_another_language_keeps_the_days_and_whose_data(ward: Service) -> None:
    page = opened(ward, "eve").get("/dashboard?days=7&data=test&language=es").text
    assert 'href="?days=7&amp;data=test&amp;language=en"' in page


@pytest.mark.parametrize(
    ("language", "largest", "said"),
    [
        ("en", 3200, ["0", "1 000", "2 000", "3 000", "4 000"]),
        ("es", 3200, ["0", "1 000", "2 000", "3 000", "4 000"]),
        ("en", 0.7, ["0", "0.2", "0.4", "0.6", "0.8"]),
        ("es", 0.7, ["0", "0,2", "0,4", "0,6", "0,8"]),
    ],
)
def test_the_figures_of_an_axis_are_those_of_the_language(language: str, largest: float, said: list[str]) -> None:
    plot = lines(["2026-03-01"], [("calls", [largest])], Told(words(language)).tick)
    assert [tick.text.replace("\N{NARROW NO-BREAK SPACE}", " ") for tick in plot.y_ticks] == said


def test_every_chart_has_its_table(ward: Service) -> None:
    page = opened(ward, "eve").get("/dashboard").get_data(as_text=True)

    panels = page.split('<section class="panel')[1:]
    assert len(panels) > 10
    assert [panel for panel in panels if "<table>" not in panel] == []


def test_the_series_are_the_lines_of_the_page(ward: Service) -> None:
    answer = opened(ward, "eve").get("/dashboard/series?days=7")

    document = msgspec.json.decode(answer.data)
    assert len(document["days"]) == 7
    assert document["series"]["flags"][0][1][-1] == 25.0
    assert document["series"]["flags"][1][1] == [5.0] * 7


def test_calls_are_counted_for_whoever_made_them(ward: Service) -> None:
    browser = opened(ward, "eve")
    browser.get("/dashboard")
    ward.client.get("/metrics")
    ward.runtime.beside.counting.count()

    rows = ward.stored.rows("SELECT tenant, environment, content FROM daily_calls ORDER BY tenant")

    assert [row[:2] for row in rows] == [("", ""), ("north", "production")]
    assert b'"pages"' in bytes(rows[1][2])
    assert b'"401":1' in bytes(rows[0][2])


def test_a_steward_begins_at_the_review_and_a_clinician_at_the_form(ward: Service) -> None:
    assert opened(ward, "eve").get("/").headers["Location"].endswith("/review")
    assert opened(ward, "ada").get("/").headers["Location"].endswith("/triage")
    assert opened(ward, "ada").get("/dashboard").status_code == 403
