"""What each page of the console takes the service on the data of a rehearsed hospital, in process."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path
from statistics import quantiles
from time import perf_counter, process_time
from typing import NamedTuple

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from bench.report import Figure
from cds_service.access import ACCESS
from cds_service.app import create_app
from cds_service.demo.calling import Caller
from cds_service.demo.hospital import Hospital, hospital
from cds_service.demo.rehearsal import Came, Play, live
from cds_service.runtime import Runtime
from cds_service.services.train import HOME
from cds_service.settings import Settings
from cds_service.storage.tables import predictions

_FIRST, _TURNS = 5, 40
# A busy machine is waited for: what is measured is not how long the hospital takes.
_LONGEST_S = 1200
# What the console promises of every page on the demo's data, at the 95th percentile, and of its size.
_MOST_MS, _MOST_KB = 50.0, 60.0
_FINDINGS = ["HP:0000098", "HP:0001166", "HP:0001083", "HP:0002616"]
_FORM = {
    "patient_id": "invented-bench",
    "patient_name": "Rosa Muestra",
    "age": "70",
    "sex": "female",
    "respiratory_rate": "26",
    "spo2": "91",
    "pulse_rate": "128",
    "systolic_bp": "132",
    "diastolic_bp": "80",
    "temperature": "38.4",
    "temperature_unit": "Cel",
}
# Pages are drawn alike for it, parts of pages for it alone.
_BY_HTMX = {"HX-Request": "true"}
# Addresses that lead elsewhere and show nothing.
_NO_PAGES = {"console.first_page", "console.back_to_prediction"}


class _Page(NamedTuple):
    """What is measured: by whom, which addresses in turn, and what is sent to them; nothing where they are opened."""

    name: str
    role: str
    addresses: Sequence[str]
    sent: dict[str, str] | None = None
    status: int = 200


def measure(play: Play | None = None) -> list[Figure]:
    """Every page again and again, as the people of the rehearsal see it."""
    with tempfile.TemporaryDirectory() as name:
        with hospital(Path(name), models=HOME / "models", within_s=_LONGEST_S) as made:
            ranking = _lived(made, play or Play())
        runtime = Runtime.from_settings(Settings.from_environment(dict(made.variables)))
        runtime.start()
        try:
            app = create_app(runtime)
            runtime.beside.counting.count()
            runtime.beside.rare.wait(60)
            pages = _pages(_newest(runtime), ranking)
            _require_all(app, pages)
            browsers = {role: _signed_in(app, role, made.password) for role in ("clinician", "steward")}
            return [figure for page in pages for figure in _figures(page, browsers[page.role])]
        finally:
            runtime.drain()


def _lived(made: Hospital, play: Play) -> str:
    """The visits of the rehearsal, and the id of a ranking of rare diseases."""
    live(made, play, lambda found, _: found, lambda _: None, Came())
    with closing(Caller(made.http_port, made.token)) as caller:
        return str(caller.post("/rare-diseases", {"observed": _FINDINGS})["id"])


def _newest(runtime: Runtime) -> list[str]:
    """The newest predictions of risk."""
    is_risk = predictions.c.service == "predict"
    with runtime.engine.connect() as connection:
        query = select(predictions.c.id).where(is_risk).order_by(predictions.c.id.desc()).limit(_TURNS)
        return [str(one) for one in connection.execute(query).scalars()]


def _pages(cases: Sequence[str], ranking: str) -> list[_Page]:
    case = "/console/predictions/<prediction_id>"

    def of(rule: str, ids: Sequence[str] = cases) -> list[str]:
        return [rule.replace("<prediction_id>", one) for one in ids]

    assessed = {**_FORM, "key": ""}
    return [
        _Page("/login", "clinician", ["/login"]),
        _Page("/triage", "clinician", ["/triage"]),
        _Page("/triage, assessed", "clinician", ["/triage"], assessed),
        _Page("/triage, refused", "clinician", ["/triage"], assessed | {"pulse_rate": "fast"}, 400),
        _Page("/triage/check", "clinician", ["/triage/check"], assessed | {"field": "pulse_rate"}),
        _Page(
            "/triage/symptoms",
            "clinician",
            ["/triage/symptoms"],
            assessed | {"symptom": "find observed", "observed": "seiz"},
        ),
        _Page(case, "clinician", of(case)),
        _Page(f"{case}, rare diseases", "clinician", of(case, [ranking])),
        _Page(f"{case}/rescore", "clinician", of(f"{case}/rescore"), {}),
        _Page(f"{case}/diagnoses", "clinician", of(f"{case}/diagnoses?diagnosis=pneum")),
        _Page("/review", "clinician", ["/review"]),
        _Page("/review/<prediction_id>", "clinician", of("/review/<prediction_id>")),
        _Page("/review/conflicts", "steward", ["/review/conflicts"]),
        _Page("/review/confirmations", "clinician", ["/review/confirmations"]),
        _Page("/dashboard", "steward", ["/dashboard"]),
        _Page("/dashboard/series", "steward", ["/dashboard/series"]),
        _Page("/models", "steward", ["/models"]),
        _Page("/models/<task>/<version>", "steward", ["/models/risk/1.0.0"]),
        _Page("/models/<task>/compare", "steward", ["/models/risk/compare"]),
    ]


def _require_all(app: Flask, pages: Sequence[_Page]) -> None:
    """RuntimeError for a page that nothing here measures."""
    wanted = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if ACCESS[rule.endpoint].scope in ("page", "patient-page") and "GET" in (rule.methods or ())
        if rule.endpoint not in _NO_PAGES
    }
    if missing := wanted - {page.name for page in pages}:
        raise RuntimeError(f"not measured: {', '.join(sorted(missing))}")


def _signed_in(app: Flask, role: str, password: str) -> FlaskClient:
    browser = app.test_client()
    fields = {"name": f"demo-{role}", "password": password, "form_token": _token(browser, "/login")}
    browser.post("/login", data=fields)
    return browser


def _token(browser: FlaskClient, path: str) -> str:
    return browser.get(path).text.split('name="form_token" value="')[1].split('"')[0]


def _figures(page: _Page, browser: FlaskClient) -> Iterator[Figure]:
    """Time and CPU time at the 95th percentile without the first turns, and the largest; each held to its bound."""
    fields = None if page.sent is None else page.sent | {"form_token": _token(browser, "/review")}
    times, costs, sizes = [], [], []
    for address in islice(cycle(page.addresses), _FIRST + _TURNS):
        started, used = perf_counter(), process_time()
        answer = browser.open(address, method="GET" if fields is None else "POST", data=fields, headers=_BY_HTMX)
        times.append((perf_counter() - started) * 1000)
        costs.append((process_time() - used) * 1000)
        sizes.append(len(gzip.compress(answer.data)) / 1000)
        if answer.status_code != page.status:
            raise RuntimeError(f"{page.name} answered {answer.status_code}")
    yield Figure(f"{page.name}, p95", quantiles(times[_FIRST:], n=20)[-1], "ms", at_most=_MOST_MS)
    yield Figure(f"{page.name}, p95 of CPU", quantiles(costs[_FIRST:], n=20)[-1], "ms", at_most=_MOST_MS)
    yield Figure(f"{page.name}, gzipped", max(sizes), "kB", at_most=_MOST_KB)
