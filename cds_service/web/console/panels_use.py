"""How the service is used: calls and how long they took, what was flagged, which cards were shown and set aside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cds_service.cdshooks.override_reasons import REASONS
from cds_service.i18n import msgid
from cds_service.monitoring.calls import PAGES, DayCalls
from cds_service.monitoring.intervals import share
from cds_service.monitoring.latency import quantile
from cds_service.services.dashboard import Day, Gathered
from cds_service.web.console import plots
from cds_service.web.console.panel import Panel, Section, Table, Told

INDICATORS = {"critical": msgid("critical"), "warning": msgid("warning"), "info": msgid("information")}
_DISPLAYS = {reason.code: reason.display for reason in REASONS} | {
    "other": msgid("another reason"),
    "none": msgid("no reason given"),
}

Value = Callable[[Day], float | None]
Lines = tuple[tuple[str, list[float | None]], ...]


def use(found: Gathered, told: Told, *, budget: float) -> tuple[Section, ...]:
    """The sections of use."""
    t = told.t
    return (
        Section(t("Workload and cards"), (_flags(found, told, budget), _cards(found, told), _overrides(found, told))),
        Section(t("What was predicted"), (_mix(found, told), _news2(found, told), _states(found, told))),
        Section(t("Calls"), (_calls(found, told), _latency(found, told), _errors(found, told))),
    )


def series(found: Gathered, told: Told, *, budget: float) -> dict[str, Lines]:
    """The panels that are drawn over days: each line with its value for each day."""
    return {name: _lines(found, told, name, budget) for name in _series(budget)}


def _lines(found: Gathered, told: Told, name: str, budget: float) -> Lines:
    made = _series(budget)[name]
    return tuple((told.t(title), [value(day) for day in found.days.values()]) for title, value in made)


def _series(budget: float) -> Mapping[str, tuple[tuple[str, Value], ...]]:
    return {
        "calls": ((msgid("calls"), lambda day: _number(day.calls)), (msgid("errors"), lambda day: _failed(day.calls))),
        "latency": (
            (msgid("half of the calls within"), lambda day: _within(day.calls, 0.5)),
            (msgid("99 of 100 calls within"), lambda day: _within(day.calls, 0.99)),
        ),
        "flags": (
            (msgid("flagged of 100 visits"), _flagged_of_100),
            (msgid("approved budget"), lambda _: budget),
        ),
        "cards": tuple((name, _shown_as(code)) for code, name in INDICATORS.items()),
    }


def _over_days(found: Gathered, told: Told, name: str, budget: float = 0.0) -> tuple[plots.Plot, Table]:
    lines = _lines(found, told, name, budget)
    days = [day.isoformat() for day in found.days]
    cells = [[_cell(value, told) for value in values] for _, values in lines]
    head = (told.t("day"), *(title for title, _ in lines))
    return plots.lines(days, lines, told.tick), Table(head, tuple(zip(days, *cells, strict=True)))


def _cell(value: float | None, told: Told) -> str:
    if value is None:
        return "–"
    return told.count(value) if value == int(value) else told.number(value)


def _flags(found: Gathered, told: Told, budget: float) -> Panel:
    t, visits = told.t, found.visits
    plot, table = _over_days(found, told, "flags", budget)
    flagged = share(visits.flagged, visits.visits)
    lead = (
        t("No visits yet")
        if flagged is None
        else t("%(number)s of 100 visits flagged (%(low)s – %(high)s)")
        % {
            "number": told.number(flagged.value * 100, 1),
            "low": told.number(flagged.low * 100, 1),
            "high": told.number(flagged.high * 100, 1),
        }
    )
    note = t("A flag is a visit with a prediction of high risk. The budget was approved with the bands: %(budget)s.")
    return Panel(
        "flags",
        t("Flags against the budget"),
        lead,
        table,
        (("", plot),),
        note % {"budget": told.number(budget, 1)},
        True,
    )


def _cards(found: Gathered, told: Told) -> Panel:
    t = told.t
    plot, table = _over_days(found, told, "cards")
    lead = t("%(number)s cards shown") % {"number": told.count(_shown(found.visits.cards))}
    return Panel("cards", t("Cards by indicator"), lead, table, (("", plot),), is_zoomable=True)


def _overrides(found: Gathered, told: Told) -> Panel:
    """Of the cards shown, those set aside; an ignored card is no override."""
    t, reports = told.t, found.reports
    reasons: dict[str, int] = {}
    for by_reason in reports.overridden.values():
        for reason, number in by_reason.items():
            reasons[reason] = reasons.get(reason, 0) + number
    ranked = sorted(reasons.items(), key=lambda one: -one[1])
    shown, overridden = _shown(found.visits.cards), sum(reasons.values())
    rate = share(min(overridden, shown), shown)
    lead = t("No cards yet") if rate is None else t("%(rate)s of the cards overridden") % {"rate": told.estimate(rate)}
    rows = tuple((t(_DISPLAYS.get(name, name)), told.count(n), told.per_cent_of(n, overridden)) for name, n in ranked)
    accepted = (t("accepted"), told.count(sum(reports.accepted.values())), "–")
    head = (t("reason"), t("cards"), t("of the overrides"))
    plot = plots.bars([(row[0], n, row[1]) for row, (_, n) in zip(rows, ranked, strict=True)])
    note = t("The last report on each card counts. A card nobody answered is neither accepted nor overridden.")
    return Panel("overrides", t("Overrides and reasons"), lead, Table(head, (*rows, accepted)), (("", plot),), note)


def _mix(found: Gathered, told: Told) -> Panel:
    names = {**told.words.bands, **told.words.risk_omitted}
    return _counted("mix", msgid("Bands of risk"), found.visits.bands, names, told)


def _news2(found: Gathered, told: Told) -> Panel:
    levels = {name: told.t(text) for name, text in _LEVELS.items()}
    return _counted("news2", msgid("Levels of NEWS2"), found.visits.news2, {**levels, **told.words.news2_omitted}, told)


_LEVELS = {
    "low": msgid("low"),
    "low-medium": msgid("low to medium"),
    "medium": msgid("medium"),
    "high": msgid("high"),
}


def _states(found: Gathered, told: Told) -> Panel:
    return _counted("states", msgid("States said"), found.visits.states, told.words.states, told)


def _counted(name: str, title: str, counts: Mapping[str, int], names: Mapping[Any, str], told: Told) -> Panel:
    t, whole = told.t, found_whole(counts)
    ranked = sorted(counts.items(), key=lambda one: -one[1])
    rows = tuple((names.get(key, key), told.count(n), told.per_cent_of(n, whole)) for key, n in ranked)
    plot = plots.bars([(row[0], n, row[2]) for row, (_, n) in zip(rows, ranked, strict=True)])
    lead = t("%(number)s in all") % {"number": told.count(whole)}
    return Panel(name, t(title), lead, Table((t("what"), t("number"), t("share")), rows), (("", plot),))


def found_whole(counts: Mapping[str, int]) -> int:
    """All of them together."""
    return sum(counts.values())


def _calls(found: Gathered, told: Told) -> Panel:
    plot, table = _over_days(found, told, "calls")
    lead = told.t("%(number)s calls") % {"number": told.count(_number(found.calls) or 0)}
    return Panel("calls", told.t("Calls and errors"), lead, table, (("", plot),), is_zoomable=True)


def _latency(found: Gathered, told: Told) -> Panel:
    t = told.t
    plot, table = _over_days(found, told, "latency")
    half, most = (told.milliseconds(_seconds(found.calls, share)) for share in (0.5, 0.99))
    lead = t("p50 %(half)s · p99 %(most)s") % {"half": half, "most": most}
    note = t(
        "Milliseconds from the whole request to its answer, known to within 12 %. Pages of the console are left out."
    )
    return Panel("latency", t("Time to the answer"), lead, table, (("", plot),), note, is_zoomable=True)


def _errors(found: Gathered, told: Told) -> Panel:
    t = told.t
    routes = sorted(found.calls.items(), key=lambda one: -sum(one[1].statuses.values()))
    rows = [
        (
            t("pages of the console") if route == PAGES else route,
            told.count(sum(calls.statuses.values())),
            told.count(_of_class(calls.statuses, "4")),
            told.count(_of_class(calls.statuses, "5")),
            told.milliseconds(quantile(calls.seconds, 0.5)),
            told.milliseconds(quantile(calls.seconds, 0.99)),
        )
        for route, calls in routes
    ]
    refused = sum(sum(calls.statuses.values()) for calls in found.refused.values())
    rows.append((t("nobody known (all tenants)"), told.count(refused), told.count(refused), "–", "–", "–"))
    failed = sum(_of_class(calls.statuses, "5") for _, calls in routes)
    lead = t("%(number)s errors of the service") % {"number": told.count(failed)}
    head = (t("address"), t("calls"), t("refused (4xx)"), t("failed (5xx)"), "p50", "p99")
    note = t("A call of HL7 v2 over MLLP is not in this table.")
    return Panel("errors", t("Errors by address"), lead, Table(head, tuple(rows)), note=note)


def _number(calls: DayCalls) -> float | None:
    found = [sum(one.statuses.values()) for route, one in calls.items() if route != PAGES]
    return sum(found) if found else None


def _failed(calls: DayCalls) -> float | None:
    found = [
        _of_class(one.statuses, "4") + _of_class(one.statuses, "5") for route, one in calls.items() if route != PAGES
    ]
    return sum(found) if found else None


def _of_class(statuses: Mapping[str, int], first: str) -> int:
    return sum(number for status, number in statuses.items() if status.startswith(first))


def _seconds(calls: DayCalls, part: float) -> float | None:
    counts = [one.seconds for route, one in calls.items() if route != PAGES]
    return quantile([sum(column) for column in zip(*counts, strict=True)], part) if counts else None


def _within(calls: DayCalls, part: float) -> float | None:
    seconds = _seconds(calls, part)
    return None if seconds is None else round(seconds * 1000, 2)


def _flagged_of_100(day: Day) -> float | None:
    visits = day.visits
    return round(visits.flagged / visits.visits * 100, 2) if visits.visits else None


def _shown(cards: Mapping[str, Mapping[str, int]]) -> int:
    return sum(sum(by_indicator.values()) for by_indicator in cards.values())


def _shown_as(indicator: str) -> Value:
    def value(day: Day) -> float | None:
        cards = day.visits.cards
        return sum(by.get(indicator, 0) for by in cards.values()) if cards else None

    return value
