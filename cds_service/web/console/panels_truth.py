"""How well predictions did by what was later true: each figure with its interval, or that too little is known yet."""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.domain.label import CATEGORIES
from cds_service.i18n import msgid
from cds_service.monitoring.day_counts import Truth
from cds_service.monitoring.performance import (
    ClassFigures,
    calibration,
    discrimination,
    observed_over_expected,
    rare_recall,
    risk_figures,
    state_figures,
)
from cds_service.state_words import CLASSES
from cds_service.web.console import plots
from cds_service.web.console.panel import Panel, Section, Table, Told

_BANDS = {"high": msgid("high"), "moderate-or-high": msgid("moderate or high")}


def truth(risk: Truth, state: Truth, told: Told, *, waiting: int) -> Section:
    """The section of what labels say; `waiting` labels are of predictions whose time to be labelled is not over."""
    panels = [
        _risk(risk, told),
        _calibration(risk, told),
        _states("classes", msgid("States by what was true"), state.states, told),
    ]
    if state.model:
        panels.append(_states("model", msgid("States by this hospital's model"), state.model, told))
    title = told.t("What was true")
    return Section(title, (_labels(risk, state, told, waiting), *panels, _rare(state, told)))


def _labels(risk: Truth, state: Truth, told: Told, waiting: int) -> Panel:
    t = told.t
    rows = (
        (t("labelled predictions"), told.count(state.labelled)),
        (t("of these with the outcome of intensive care known"), told.count(sum(risk.risk[0]) if risk.risk else 0)),
        (t("labelled by someone who had seen the prediction"), told.per_cent_of(state.seen, state.labelled)),
        (t("labels that exclude one another"), told.count(state.disputed)),
        (t("labels still waiting for their time"), told.count(waiting)),
    )
    note = t(
        "A prediction counts once its time to be labelled is over, so that the quick ones do not count alone. Who has "
        "seen a prediction tends to agree with it."
    )
    lead = t("%(number)s labels count") % {"number": told.count(state.labelled)}
    return Panel("labels", t("Labels"), lead, Table((t("what"), t("number")), rows), note=note)


def _risk(found: Truth, told: Told) -> Panel:
    t, auroc = told.t, discrimination(found)
    figures = risk_figures(found)
    lead = t("AUROC %(auroc)s") % {"auroc": told.estimate(auroc, as_percent=False)}
    named = [(t(_BANDS[one.name]), one) for one in figures]
    note = t(
        "Intensive care against the band of risk. Intervals: Wilson; of AUROC Hanley and McNeil (1982), from 64 bins."
    )
    return _class_panel("risk", t("Risk of intensive care"), lead, named, told, note)


def _states(name: str, title: str, counts: dict[str, dict[str, int]], told: Told) -> Panel:
    named = [(told.t(CLASSES[one.name]), one) for one in state_figures(counts, CATEGORIES)]
    lead = told.t("%(number)s with a known state") % {"number": told.count(sum(one.n_true for _, one in named))}
    note = told.t("Each state against all others. Several may be said of one patient.")
    return _class_panel(name, told.t(title), lead, named, told, note)


def _class_panel(
    name: str, title: str, lead: str, named: Sequence[tuple[str, ClassFigures]], told: Told, note: str
) -> Panel:
    t = told.t
    rows = tuple(
        (text, told.count(one.n_true), told.estimate(one.recall), told.count(one.n_told), told.estimate(one.precision))
        for text, one in named
    )
    drawn = [
        (f"{text}: {t(what)}", *found[:3], told.estimate(found))
        for text, one in named
        for what, found in ((msgid("found"), one.recall), (msgid("right"), one.precision))
        if found is not None
    ]
    head = (t("class"), t("true"), t("found (recall)"), t("said"), t("right (precision)"))
    return Panel(name, title, lead, Table(head, rows), (("", plots.dots(drawn)),) if drawn else (), note)


def _calibration(found: Truth, told: Told) -> Panel:
    t, groups = told.t, calibration(found)
    rows = tuple(
        (told.percent(one.expected), told.count(one.observed.n), told.estimate(one.observed)) for one in groups
    )
    most = max((max(one.observed.high, one.expected) for one in groups), default=1.0)
    drawn = [
        (t("expected %(share)s") % {"share": row[0]}, *one.observed[:3], row[2])
        for row, one in zip(rows, groups, strict=True)
    ]
    plot = plots.dots(drawn, most=most, compared=[one.expected for one in groups])
    ratio = told.estimate(observed_over_expected(found), as_percent=False)
    lead = t("Observed over expected: %(ratio)s") % {"ratio": ratio}
    note = t(
        "Dots are what came with their intervals of 95 per cent, marks what was expected: a mark outside its interval "
        "is off."
    )
    head = (t("expected"), t("predictions"), t("came"))
    return Panel(
        "calibration", t("Calibration of the risk"), lead, Table(head, rows), (("", plot),) if rows else (), note
    )


def _rare(found: Truth, told: Told) -> Panel:
    t = told.t
    first, listed = rare_recall(found)
    n = found.rare[0] if found.rare else 0
    rows = (
        (t("first of the list"), told.estimate(first)),
        (t("among the first ten"), told.estimate(listed)),
    )
    lead = t("%(number)s rankings with a known rare disease") % {"number": told.count(n)}
    drawn = [(row[0], *one[:3], row[1]) for row, one in zip(rows, (first, listed), strict=True) if one is not None]
    plot = (("", plots.dots(drawn)),) if drawn else ()
    return Panel("rare", t("Rare diseases found"), lead, Table((t("place"), t("share")), rows), plot)
