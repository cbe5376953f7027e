"""A prediction in words and shapes for a page: everything it says, in the person's language, nothing concluded anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

from cds_service.cdshooks.card_text import first_remarks, record_remarks, shown_unused
from cds_service.cdshooks.cards import indicator, summary
from cds_service.cdshooks.risk_text import per_hundred, population
from cds_service.cdshooks.wording import Words, clock
from cds_service.domain.patient import Identity
from cds_service.domain.prediction import EarlyWarning, Prediction, RiskEstimate, StateEstimate, StateTag
from cds_service.domain.vitals import VITAL_SIGNS
from cds_service.state_words import CLASSES, by_probability, learnt_from, likely_set, percent
from cds_service.web.console.chart import Bars, driver_bars

# Icon and tone of each state: never colour alone. Red is for what asks for action, neutral for what promises nothing.
_STATES = {
    "acute": ("▲", "red"),
    "chronic": ("●", "red"),
    "mild": ("◆", "yellow"),
    "terminal": ("■", "neutral"),
    "not-ill": ("○", "neutral"),
    "not-determinable": ("?", "neutral"),
}
_TONES = {"critical": "red", "warning": "yellow", "info": "neutral"}


@dataclass(frozen=True, slots=True)
class Tag:
    """One state of disease as it is shown."""

    icon: str
    tone: str
    text: str
    basis: str


@dataclass(frozen=True, slots=True)
class Used:
    """One reading that was used: where it came from, and when."""

    name: str
    value: str
    unit: str
    original: str
    time: str
    source: str
    flags: str


@dataclass(frozen=True, slots=True)
class View:
    """What a page shows of one prediction; every text is plain and is escaped where it stands."""

    id: str
    summary: str
    tone: str
    patient: Identity
    at: str
    first: tuple[str, ...]
    alarms: tuple[str, ...]
    news2: str
    points: tuple[tuple[str, str], ...]
    response: str
    risk: str
    population: str
    states: tuple[Tag, ...]
    shares: tuple[tuple[str, str], ...]
    shares_of: str
    bars: Bars | None
    used: tuple[Used, ...]
    not_used: tuple[tuple[str, str], ...]
    would_help: tuple[str, ...]
    notes: tuple[str, ...]
    model_version: str


def view_of(prediction: Prediction, words: Words, zone: tzinfo) -> View:
    """The prediction as a page shows it, times in `zone`."""
    snapshot, risk, news2 = prediction.snapshot, prediction.risk, prediction.news2
    at = snapshot.at.astimezone(zone)
    unused = shown_unused(snapshot)
    return View(
        id=str(prediction.id),
        summary=summary(prediction, words),
        tone=_TONES[indicator(prediction)],
        patient=snapshot.identity,
        at=f"{at:%Y-%m-%d %H:%M}",
        first=tuple(first_remarks(snapshot, words)),
        alarms=tuple(f"{words.name(reading.name)} {reading.original}" for reading in unused if reading.alarming),
        news2=_score(news2) if news2 else words.news2_omitted.get(prediction.news2_omitted or "", ""),
        points=_points(news2, words) if news2 else (),
        response=words.responses[news2.level] if news2 else "",
        risk=_risk(risk, words) if risk else words.risk_omitted.get(prediction.risk_omitted or "", ""),
        population=population(prediction, words),
        states=tuple(_tag(tag, words) for tag in prediction.states),
        shares=_shares(prediction.state_model, words),
        shares_of=_shares_of(prediction.state_model, words),
        bars=driver_bars(risk.drivers, words) if risk else None,
        used=_used(prediction, words, zone),
        not_used=tuple(
            (f"{words.name(reading.name)} {reading.original}", words.reasons[reading.reason]) for reading in unused
        ),
        would_help=tuple(words.name(name) for name in prediction.would_help),
        notes=tuple(record_remarks(snapshot, words)),
        model_version=prediction.model_version,
    )


def _score(news2: EarlyWarning) -> str:
    return str(news2.lower) if news2.complete else f"{news2.lower}–{news2.upper}"


def _points(news2: EarlyWarning, words: Words) -> tuple[tuple[str, str], ...]:
    return tuple((words.name(name), "?" if points is None else str(points)) for name, points in news2.points.items())


def _risk(risk: RiskEstimate, words: Words) -> str:
    return f"{per_hundred(risk.probability, words)} ({words.bands.get(risk.band, risk.band)})"


def _tag(tag: StateTag, words: Words) -> Tag:
    icon, tone = _STATES.get(tag.state, ("?", "neutral"))
    basis = [*(words.bases.get(basis, basis) for basis in tag.basis), *tag.evidence]
    return Tag(icon, tone, words.states.get(tag.state, tag.state), ", ".join(basis))


def _shares(estimate: StateEstimate | None, words: Words) -> tuple[tuple[str, str], ...]:
    """The five states and how likely the hospital's own model finds each; empty without such a model."""
    if estimate is None:
        return ()
    return tuple((words.t(CLASSES[name]), percent(p, words.t)) for name, p in by_probability(estimate))


def _shares_of(estimate: StateEstimate | None, words: Words) -> str:
    if estimate is None:
        return ""
    return f"{likely_set(estimate, words.t)}. {learnt_from(estimate, estimate.version, words.t)}"


def _used(prediction: Prediction, words: Words, zone: tzinfo) -> tuple[Used, ...]:
    at = prediction.snapshot.at.astimezone(zone)
    return tuple(
        Used(
            name=words.name(reading.name),
            value=words.reading(reading.name, reading.value),
            unit=VITAL_SIGNS[reading.name].unit,
            original=reading.original,
            time=clock(reading.time.astimezone(zone), at),
            source=reading.source,
            flags=", ".join(words.flags.get(flag, flag) for flag in reading.flags),
        )
        for reading in prediction.snapshot.readings.values()
    )
