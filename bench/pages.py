"""What each page of the console takes the service on the data of a rehearsed hospital, in process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from statistics import quantiles
from time import perf_counter, process_time

from flask.testing import FlaskClient

from bench.report import Figure
from cds_service.app import create_app
from cds_service.demo.calling import Asked, Caller, ask, tell
from cds_service.demo.hospital import Hospital, hospital
from cds_service.demo.visits import Ward, visits
from cds_service.runtime import Runtime
from cds_service.services.train import HOME
from cds_service.settings import Settings

# As many visits as `cds demo` has, and its seed.
_VISITS, _SEED = 4000, 1
_FIRST, _TURNS = 5, 40
# What the console promises of every page on the demo's data, at the 95th percentile.
_MOST_MS = 50.0
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


# An address, and what is sent to it; nothing where the page is only opened.
_Call = tuple[str, Mapping[str, str] | None]


def measure(number: int = _VISITS) -> list[Figure]:
    """Every page again and again, as the people of the rehearsal see it."""
    with tempfile.TemporaryDirectory() as name:
        with hospital(Path(name), models=HOME / "models") as made:
            asked, ranking = _filled(made, number)
        runtime = Runtime.from_settings(Settings.from_environment(dict(made.variables)))
        runtime.start()
        try:
            pages = _Pages(runtime, made.password)
            runtime.counting.count()
            runtime.rare.wait(60)
            return list(_figures(pages, asked, ranking))
        finally:
            runtime.drain()


def _filled(made: Hospital, number: int) -> tuple[list[Asked], str]:
    with closing(Caller(made.http_port, made.token)) as caller:
        asked = ask(caller, visits(number, Ward(), _SEED))
        tell(caller, asked, Ward(), _SEED)
        ranking = caller.post("/rare-diseases", {"observed": _FINDINGS})
    return asked, str(ranking["id"])


class _Pages:
    """Browsers of the rehearsal's people, signed in."""

    def __init__(self, runtime: Runtime, password: str) -> None:
        self._app, self._password = create_app(runtime), password
        self._browsers: dict[str, FlaskClient] = {}

    def of(self, role: str) -> FlaskClient:
        """The browser of the person with this role."""
        if role not in self._browsers:
            browser = self._browsers[role] = self._app.test_client()
            fields = {"name": f"demo-{role}", "password": self._password, "form_token": _token(browser, "/login")}
            browser.post("/login", data=fields)
        return self._browsers[role]


def _token(browser: FlaskClient, path: str) -> str:
    return browser.get(path).text.split('name="form_token" value="')[1].split('"')[0]


def _figures(pages: _Pages, asked: list[Asked], ranking: str) -> Iterator[Figure]:
    cases = [str(one.prediction["id"]) for one in asked[-_TURNS:]]
    shown = {
        "/login": ("clinician", ["/login"]),
        "/triage": ("clinician", ["/triage"]),
        "/console/predictions/<id>": ("clinician", [f"/console/predictions/{case}" for case in cases]),
        "the same, rare diseases": ("clinician", [f"/console/predictions/{ranking}"]),
        "/review": ("clinician", ["/review"]),
        "/review/<id>": ("clinician", [f"/review/{case}" for case in cases]),
        "/review/conflicts": ("steward", ["/review/conflicts"]),
        "/review/confirmations": ("clinician", ["/review/confirmations"]),
        "/dashboard": ("steward", ["/dashboard"]),
        "/dashboard/series": ("steward", ["/dashboard/series"]),
        "/models": ("steward", ["/models"]),
        "/models/risk/1.0.0": ("steward", ["/models/risk/1.0.0"]),
        "/models/risk/compare": ("steward", ["/models/risk/compare"]),
    }
    for name, (role, addresses) in shown.items():
        yield from _timed(name, pages.of(role), [(address, None) for address in addresses])
    browser = pages.of("clinician")
    form = {"form_token": _token(browser, "/triage"), **_FORM}
    sent = {
        "/triage, assessed": ("/triage", form),
        "/triage, a field checked": ("/triage/check", form | {"field": "pulse_rate"}),
        "/triage, a finding typed": ("/triage/symptoms", form | {"symptom": "find observed", "observed": "seiz"}),
    }
    for name, call in sent.items():
        yield from _timed(name, browser, [call])


def _timed(name: str, browser: FlaskClient, calls: Sequence[_Call]) -> Iterator[Figure]:
    """The page's time and its CPU time at the 95th percentile, without the first turns; both are held to the bound."""
    times, costs = [], []
    for turn in range(_FIRST + _TURNS):
        path, fields = calls[turn % len(calls)]
        started, used = perf_counter(), process_time()
        answer = browser.get(path) if fields is None else browser.post(path, data=fields)
        times.append((perf_counter() - started) * 1000)
        costs.append((process_time() - used) * 1000)
        if answer.status_code != 200:
            raise RuntimeError(f"{name} answered {answer.status_code}")
    yield Figure(f"{name}, p95", quantiles(times[_FIRST:], n=20)[-1], "ms", at_most=_MOST_MS)
    yield Figure(f"{name}, p95 of CPU", quantiles(costs[_FIRST:], n=20)[-1], "ms", at_most=_MOST_MS)
