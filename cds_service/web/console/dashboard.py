"""The dashboard: what a range of days came to, what stands out of it first, and each chart with its table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from flask import Response, request

from cds_service.cdshooks.wording import words
from cds_service.domain.actor import Actor, is_synthetic
from cds_service.domain.dataset import CLASSES
from cds_service.errors import BadRequest
from cds_service.monitoring.day_counts import Truth
from cds_service.runtime import Runtime
from cds_service.services.dashboard import Gathered, gather
from cds_service.settings.dataset import dataset_rules
from cds_service.storage.rollups import Whose
from cds_service.web.console.notices import notices
from cds_service.web.console.pages import console, page, page_language, person
from cds_service.web.console.panel import Section, Told
from cds_service.web.console.panels_data import data, shifts
from cds_service.web.console.panels_truth import truth
from cds_service.web.console.panels_use import series, use
from cds_service.web.context import json_response, runtime

RANGES = (7, 30, 90)
_MOST_DAYS = 366
# The panels whose figure stands at the head of the page.
TILES = ("flags", "overrides", "latency", "errors", "risk", "calibration")
TEST = "test"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which days, whose data, and whether labels count before their time is over."""

    first: date
    last: date
    whose: Whose
    counts_all_labels: bool

    @property
    def days(self) -> int:
        """How many days."""
        return (self.last - self.first).days + 1

    @property
    def kept(self) -> Mapping[str, str]:
        """What a link to other days keeps of this view."""
        said = {"data": TEST} if self.whose.environment == TEST else {}
        return said | ({"labels": "all"} if self.counts_all_labels else {})

    @property
    def query(self) -> Mapping[str, str]:
        """What a link to the same view says."""
        return {"from": self.first.isoformat(), "to": self.last.isoformat(), **self.kept}


@console.get("/dashboard")
def dashboard() -> Response:
    """The figures of the caller's own tenant; nobody's data but counts."""
    process = runtime()
    actor = person(process)
    asked = _asked(actor, process.now())
    found = _gathered(process, asked)
    told = Told(words(page_language()))
    version = process.models.versions()["risk"] or ""
    references = process.beside.counting.references.of(version)
    moved = shifts(found, references, version)
    risk, state, waiting = _mature(process, found, asked)
    budget = process.settings.site.assessment.flags_per_100
    sections: tuple[Section, ...] = (
        data(found, told, references, moved, version),
        truth(risk, state, told, waiting=waiting),
        *use(found, told, budget=budget),
    )
    return page(
        "dashboard.html",
        actor=actor,
        asked=asked,
        ranges=RANGES,
        today=process.now().date(),
        sections=sections,
        notices=notices(process, found, asked.whose, told, moved=moved, risk=risk),
        is_synthetic=is_synthetic(asked.whose.tenant),
        tiles=[panel for name in TILES for section in sections for panel in section.panels if panel.id == name],
    )


@console.get("/dashboard/series")
def dashboard_series() -> Response:
    """The same lines over days as JSON, for a chart that can be zoomed."""
    process = runtime()
    asked = _asked(person(process), process.now())
    found = _gathered(process, asked)
    budget = process.settings.site.assessment.flags_per_100
    lines = series(found, Told(words(page_language())), budget=budget)
    days = [int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) for day in found.days]
    response = json_response({"days": days, "series": lines})
    response.headers["Cache-Control"] = "no-store"
    return response


def _gathered(process: Runtime, asked: Asked) -> Gathered:
    references = process.beside.counting.references
    return gather(process.engine, references, asked.whose, asked.first, asked.last, now=process.now())


def _mature(process: Runtime, found: Gathered, asked: Asked) -> tuple[Truth, Truth, int]:
    """What labels say of risk and of states once their time is over, and how many still wait."""
    days = dataset_rules(process.settings.dataset_file).maturity_days
    today = process.now().date()
    risk, state = (
        found.truth(today if asked.counts_all_labels else today - timedelta(days=max(days[name] for name in names)))
        for names in (CLASSES["risk"], CLASSES["state"])
    )
    return risk, state, found.labelled - state.labelled


def _asked(actor: Actor, now: datetime) -> Asked:
    """The view asked for; people of the test environment see its data alone."""
    today = now.date()
    first, last = _days(today)
    is_test = request.args.get("data") == TEST or actor.environment == TEST
    whose = Whose(actor.tenant, TEST if is_test else actor.environment)
    return Asked(first, last, whose, request.args.get("labels") == "all")


def _days(today: date) -> tuple[date, date]:
    """The range from the address: so many days until today, or from one day to another; 30 where it says no first."""
    if not request.args.get("from") and not request.args.get("to"):
        asked = request.args.get("days", str(RANGES[1]))
        if asked not in {str(number) for number in RANGES}:
            raise BadRequest("ask for 7, 30 or 90 days", where="days")
        return today - timedelta(days=int(asked) - 1), today
    last = min(_day("to", today), today)
    first = _day("from", date.fromordinal(max(1, last.toordinal() - RANGES[1] + 1)))
    if not timedelta(0) <= last - first < timedelta(days=_MOST_DAYS):
        raise BadRequest("ask for a range of 1 to 366 days up to today", where="from")
    return first, last


def _day(name: str, otherwise: date) -> date:
    try:
        return date.fromisoformat(request.args.get(name) or otherwise.isoformat())
    except ValueError:
        raise BadRequest("send a date as YYYY-MM-DD", where=name) from None
