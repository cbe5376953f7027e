"""Whether the dashboard's page costs the same over a million predictions: daily roll-ups, not scans."""

from __future__ import annotations

import resource
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from statistics import quantiles
from time import perf_counter, process_time

from flask import Flask
from flask.testing import FlaskClient

from bench.filled_days import Filling, fill
from bench.report import Figure
from cds_service.app import create_app
from cds_service.runtime import Runtime
from cds_service.services.credentials import hash_password
from cds_service.services.roll_up import Roller
from cds_service.settings import Settings
from cds_service.storage.people import UserRow, add_user
from cds_service.storage.schema import migrate

_ROWS, _DAYS = 1_000_000, 90
_PAGES = 40
_PASSWORD = "correct horse battery staple"
# What the console promises of the page with a million predictions.
_MOST_MS = 200.0


def measure(rows: int = _ROWS) -> list[Figure]:
    """Counting the days once, then the page over 90 days again and again, in process."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "cds.db"
        url = f"sqlite:///{path}"
        migrate(url)
        fill(path, Filling(rows, _DAYS, datetime.now(UTC), labelled=0.05))
        runtime = Runtime.from_settings(Settings.from_environment(_environment(url)))
        runtime.start()
        try:
            counted = _cpu(Roller(runtime.engine, runtime.writer.submit_change, runtime.beside.counting.references))
            wall, cpu = _pages(create_app(runtime), runtime)
        finally:
            runtime.drain()
    return [
        Figure("counting a thousand predictions (CPU)", counted / rows * 1e6, "ms"),
        Figure(f"dashboard of 90 days with {rows:,} predictions, p95", wall, "ms", at_most=_MOST_MS),
        Figure("the same, median CPU", cpu, "ms", at_most=_MOST_MS),
        Figure("memory at most", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB"),
    ]


def _environment(url: str) -> dict[str, str]:
    return {"CDS_DATABASE_URL": url, "CDS_CLIENT_AUTH": "required", "CDS_SECRET_KEY": token_hex(32)}


def _cpu(roller: Roller) -> float:
    before = process_time()
    roller.roll_up()
    return process_time() - before


def _pages(app: Flask, runtime: Runtime) -> tuple[float, float]:
    """The 95th percentile of the time and the median of the CPU time of one page, in milliseconds."""
    browser = _signed_in(app, runtime)
    times, costs = [], []
    for _ in range(_PAGES):
        started, used = perf_counter(), process_time()
        answer = browser.get("/dashboard?days=90")
        times.append((perf_counter() - started) * 1000)
        costs.append((process_time() - used) * 1000)
        if answer.status_code != 200:
            raise RuntimeError(f"answered {answer.status_code}")
    return quantiles(times, n=20)[-1], quantiles(costs, n=2)[0]


def _signed_in(app: Flask, runtime: Runtime) -> FlaskClient:
    person = UserRow(
        name="eve",
        tenant="north",
        environment="production",
        role="steward",
        password_hash=hash_password(_PASSWORD),
        created_at=runtime.now(),
        created_by="bench",
    )
    runtime.writer.submit_change(add_user(person))
    browser = app.test_client()
    page = browser.get("/login").get_data(as_text=True)
    token = page.split('name="form_token" value="')[1].split('"')[0]
    browser.post("/login", data={"form_token": token, "name": "eve", "password": _PASSWORD})
    return browser
