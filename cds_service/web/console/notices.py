"""What stands out of the figures and comes first: drift, feeds that fell silent, a budget that is used up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cds_service.domain.actor import counted_as
from cds_service.i18n import msgid
from cds_service.monitoring.calls import PAGES
from cds_service.monitoring.day_counts import Truth
from cds_service.monitoring.drift import Shift
from cds_service.monitoring.feeds import Alarm
from cds_service.monitoring.intervals import share
from cds_service.monitoring.latency import quantile
from cds_service.monitoring.performance import observed_over_expected
from cds_service.runtime import Runtime
from cds_service.services.dashboard import Gathered
from cds_service.storage.rollups import Whose
from cds_service.storage.stored_messages import has_sent
from cds_service.web.console.panel import Notice, Told

# The gate's own range for a model it would let through (training/gate.toml).
_CALIBRATED = (0.8, 1.25)
# CDS Hooks 2.0.1 asks a service to answer within 500 ms.
_SLOW_S = 0.5

_MADE_UP = {
    "risk": msgid("Risk model %(version)s was learnt from invented patients: no real patient gets a risk from it."),
    "state": msgid(
        "State model %(version)s was learnt from invented patients: real patients get the rules' tags alone."
    ),
}

_ALARMS = {
    Alarm.SILENT: msgid("No message from %(sender)s for longer than the site allows."),
    Alarm.CLOCK_SKEW: msgid("The clock of %(sender)s is off: its readings may be lost."),
    Alarm.UNMAPPED: msgid("Much of what %(sender)s sends means nothing here: its codes may have changed."),
}


def notices(
    process: Runtime, found: Gathered, whose: Whose, told: Told, *, moved: Mapping[str, Shift], risk: Truth
) -> list[Notice]:
    """What to look at, the data first; empty when nothing stands out."""
    budget = process.settings.site.assessment.flags_per_100
    return [
        *made_up_notices(process, whose, told),
        *_drift(told, moved),
        *_feeds(process, whose, told),
        *_calibration(told, risk),
        *_workload(found, told, budget),
        *_answers(found, told),
    ]


def made_up_notices(process: Runtime, whose: Whose, told: Told) -> Iterator[Notice]:
    """Models in force that are withheld from real patients, where these are real."""
    made_up = process.models.made_up() if counted_as(*whose) == "production" else {}
    for task, version in made_up.items():
        yield Notice(told.t(_MADE_UP[task]) % {"version": version}, "red")


def _drift(told: Told, moved: Mapping[str, Shift]) -> Iterator[Notice]:
    names = [told.words.name(name) for name, one in moved.items() if one.is_drift and not name.startswith("prob")]
    if names:
        text = told.t("Drift: far from the training data in several windows: %(names)s.")
        yield Notice(text % {"names": ", ".join(names)}, "red")
    if any(one.is_drift for name, one in moved.items() if name.startswith("prob")):
        yield Notice(told.t("Drift: the predicted risks are not spread as in the training data."))


def _feeds(process: Runtime, whose: Whose, told: Told) -> Iterator[Notice]:
    for alarm, key in process.beside.feeds.standing():
        if has_sent(process.engine, *whose, key.sender):
            yield Notice(told.t(_ALARMS[alarm]) % {"sender": key.sender}, "red")


def _calibration(told: Told, risk: Truth) -> Iterator[Notice]:
    ratio = observed_over_expected(risk)
    if ratio is not None and (ratio.low > _CALIBRATED[1] or ratio.high < _CALIBRATED[0]):
        text = told.t("The risk is off: %(ratio)s admissions came for each expected.")
        yield Notice(text % {"ratio": told.estimate(ratio, as_percent=False)}, "red")


def _workload(found: Gathered, told: Told, budget: float) -> Iterator[Notice]:
    flagged = share(found.visits.flagged, found.visits.visits)
    if flagged is not None and flagged.low * 100 > budget:
        text = told.t("More is flagged than was approved: %(number)s of 100 visits against %(budget)s.")
        numbers = {"number": told.number(flagged.value * 100, 1), "budget": told.number(budget, 1)}
        yield Notice(text % numbers)


def _answers(found: Gathered, told: Told) -> Iterator[Notice]:
    if found.is_behind:
        yield Notice(told.t("Today is still being counted: its figures are too low for now."), "neutral")
    calls = [one for route, one in found.calls.items() if route != PAGES]
    slow = quantile([sum(column) for column in zip(*(one.seconds for one in calls), strict=True)], 0.99)
    if slow is not None and slow > _SLOW_S:
        yield Notice(told.t("One call of 100 takes longer than %(time)s.") % {"time": told.milliseconds(slow)})
    failed = sum(n for one in found.calls.values() for status, n in one.statuses.items() if status.startswith("5"))
    if failed:
        yield Notice(told.t("%(number)s calls failed in the service.") % {"number": told.count(failed)})
