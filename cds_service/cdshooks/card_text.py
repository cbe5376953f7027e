"""The detail of a card: Markdown sections, each said by one function, from a prediction and the words of a language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from cds_service.cdshooks.markdown import quoted
from cds_service.cdshooks.prefetch import Note, NoteKind
from cds_service.cdshooks.wording import VITALS, Words, clock
from cds_service.domain.patient import NotUsed, PatientSnapshot, Reading, UnusedReading
from cds_service.domain.prediction import Driver, EarlyWarning, Prediction, StateTag
from cds_service.i18n import Translate

# Log-odds that one value moves the risk by: 0.1 is a factor of 1.1, 0.5 one of 1.65. Chosen by us so that a card shows
# what a reader could notice; the prediction's own page lists every value.
SHOWN_FROM, STRONG_FROM = 0.1, 0.5
# A card must fit a corridor: chosen by us. What is cut is counted, and on the prediction's page.
MOST_DRIVERS, MOST_UNUSED, MOST_HELPFUL, MOST_EVIDENCE = 6, 8, 3, 4

_SEPARATOR = " · "


def detail(prediction: Prediction, words: Words, notes: Sequence[Note] = ()) -> str:
    """The card's Markdown, alarming values first."""
    unused = shown_unused(prediction.snapshot)
    sections = (
        _alarming(unused, words),
        _why(prediction, words),
        _news2(prediction, words),
        _states(prediction.states, words),
        _used(prediction.snapshot, words),
        _not_used(unused, prediction.snapshot.at, words),
        _would_help(prediction.would_help, words),
        _notes(notes, words.t),
        _population(prediction, words),
    )
    return "\n\n".join(section for section in sections if section)


def shown_unused(snapshot: PatientSnapshot) -> list[UnusedReading]:
    """Readings left out that a card names: not what a newer reading of the same thing has replaced."""
    return [
        reading
        for reading in snapshot.not_used
        if reading.reason is not NotUsed.SUPERSEDED
        and not (reading.reason is NotUsed.STALE and reading.name in snapshot.readings)
    ]


def per_hundred(probability: float, words: Words) -> str:
    """A probability as a count of a hundred visits."""
    if probability < 0.01:
        return words.t("fewer than 1 of 100")
    if probability > 0.99:
        return words.t("more than 99 of 100")
    return words.t("about %(count)d of 100") % {"count": int(100 * probability + 0.5)}


def alarm(reading: UnusedReading, words: Words) -> str:
    """One value that may be an emergency rather than an error, for plain text or Markdown alike."""
    value = " ".join(reading.original.split())
    return words.t("%(reading)s: check the patient") % {"reading": f"{words.name(reading.name)} {quoted(value, 20)}"}


def _alarming(unused: Sequence[UnusedReading], words: Words) -> str:
    alarms = [f"{alarm(reading, words)}{_source(reading.source)}" for reading in unused if reading.alarming]
    return f"**{words.t('Check the patient')}:** {_joined(alarms, MOST_UNUSED, words)}" if alarms else ""


def _why(prediction: Prediction, words: Words) -> str:
    if prediction.risk is None:
        return ""
    drivers = prediction.risk.drivers
    shown = [_driver(driver, words) for driver in drivers[:MOST_DRIVERS] if abs(driver.contribution) >= SHOWN_FROM]
    reasons = _SEPARATOR.join(shown) or words.t("no single value moved the risk much")
    return f"**{words.t('Why')}** ({words.t('▲ raises, ▽ lowers the risk')})**:** {reasons}"


def _driver(driver: Driver, words: Words) -> str:
    sign = "▲" if driver.contribution > 0 else "▽"
    strength = sign * 2 if abs(driver.contribution) >= STRONG_FROM else sign
    if driver.value is None:
        return f"{words.name(driver.feature)} {words.t('unknown')} {strength}"
    return f"{words.reading(driver.feature, driver.value)} {strength}"


def _news2(prediction: Prediction, words: Words) -> str:
    t, news2 = words.t, prediction.news2
    if news2 is None:
        reason = prediction.news2_omitted or ""
        return f"**NEWS2** {t('not calculated')}: {words.news2_omitted.get(reason) or quoted(reason)}."
    sentences = (
        _points(news2, words),
        _red(news2, words),
        words.responses[news2.level],
        _reach(news2, t),
        t("Composed of readings %(span)s apart, not one set.") % {"span": words.age(news2.spread_min)}
        if news2.composed
        else "",
        *_remarks(news2.remarks, words),
    )
    return " ".join(sentence for sentence in sentences if sentence)


def _points(news2: EarlyWarning, words: Words) -> str:
    t = words.t
    score = str(news2.lower) if news2.complete else f"{news2.lower}–{news2.upper}"
    scored = [f"{words.name(name)} {points}" for name, points in news2.points.items() if points]
    if news2.unknown:
        scored.append(t("unknown: %(inputs)s") % {"inputs": ", ".join(map(words.name, news2.unknown))})
    scale = t("SpO2 scale %(scale)d") % {"scale": news2.scale}
    return f"**NEWS2 {score}** ({scale}) = {' + '.join(scored) or t('every parameter 0')}."


def _red(news2: EarlyWarning, words: Words) -> str:
    if not news2.red:
        return ""
    return words.t("A single 3: %(parameters)s.") % {"parameters": ", ".join(map(words.name, news2.red))}


def _reach(news2: EarlyWarning, t: Translate) -> str:
    if news2.upper_level != "high" or news2.level == "high":
        return ""
    return t("What is unknown could bring it to the emergency threshold.")


def _remarks(remarks: Sequence[str], words: Words) -> Iterator[str]:
    return (words.remarks.get(remark) or quoted(remark) for remark in remarks)


def _states(states: Sequence[StateTag], words: Words) -> str:
    tags = [_state(tag, words) for tag in states]
    return f"**{words.t('State')}:** {_SEPARATOR.join(tags)}" if tags else ""


def _state(tag: StateTag, words: Words) -> str:
    basis = f" {words.t('and')} ".join(words.bases.get(basis) or quoted(basis) for basis in tag.basis)
    evidence = ", ".join(quoted(item) for item in tag.evidence[:MOST_EVIDENCE])
    support = f"{basis}: {evidence}" if basis and evidence else basis or evidence
    name = words.states.get(tag.state) or quoted(tag.state)
    return f"{name} ({support})" if support else name


def _used(snapshot: PatientSnapshot, words: Words) -> str:
    """Readings grouped by their minute, newest first; the order within a minute is that of the table."""
    readings = [snapshot.readings[name] for name in VITALS if name in snapshot.readings]
    if not readings:
        return ""
    readings.sort(key=_time, reverse=True)
    groups = [_moment(label, group, snapshot.at, words) for label, group in groupby(readings, _Clock(snapshot.at))]
    return f"**{words.t('Used')}** (UTC)**:** {'; '.join(groups)}"


def _time(reading: Reading) -> datetime:
    return reading.time


class _Clock:
    """The moment of a reading as the card writes it."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def __call__(self, reading: Reading) -> str:
        return clock(reading.time, self._at)


def _moment(label: str, group: Iterator[Reading], at: datetime, words: Words) -> str:
    members = list(group)
    age = words.t("%(age)s ago") % {"age": words.age((at - members[0].time).total_seconds() / 60)}
    return f"{label}, {age}: {_SEPARATOR.join(_reading(reading, words) for reading in members)}"


def _reading(reading: Reading, words: Words) -> str:
    text = words.reading(reading.name, reading.value)
    remarks = [quoted(reading.source), *_remarks(reading.flags, words)]
    return f"{text} ({', '.join(remark for remark in remarks if remark)})"


def _not_used(unused: Sequence[UnusedReading], at: datetime, words: Words) -> str:
    items = [_unused(reading, at, words) for reading in unused if not reading.alarming]
    return f"**{words.t('Not used')}:** {_joined(items, MOST_UNUSED, words)}" if items else ""


def _unused(reading: UnusedReading, at: datetime, words: Words) -> str:
    what = f"{words.name(reading.name)} {quoted(reading.original, 30)}".rstrip()
    if reading.reason is NotUsed.STALE and reading.time is not None:
        age = words.age((at - reading.time).total_seconds() / 60)
        return f"{what}: {words.t('%(age)s old') % {'age': age}}{_source(reading.source)}"
    detail_ = f", {quoted(reading.detail)}" if reading.detail else ""
    return f"{what}: {words.reasons[reading.reason]}{detail_}{_source(reading.source)}"


def _source(source: str) -> str:
    return f" ({quoted(source)})" if source else ""


def _would_help(names: Sequence[str], words: Words) -> str:
    if not names:
        return ""
    return f"**{words.t('Would help most')}:** {', '.join(map(words.name, names[:MOST_HELPFUL]))}"


_NOTES: Mapping[NoteKind, str] = {}


def _notes(notes: Sequence[Note], t: Translate) -> str:
    return f"**{t('Note')}:** {' '.join(_note(note, t) for note in notes)}" if notes else ""


def _note(note: Note, t: Translate) -> str:
    sentences = {
        NoteKind.QUERY_FAILED: t("The EHR's query for %(part)s failed."),
        NoteKind.QUERY_REPORTED: t("The EHR reported a problem with its query for %(part)s."),
        NoteKind.FIRST_PAGE_ONLY: t("Of %(part)s only the first page was read."),
    }
    return sentences[note.kind] % {"part": _part(note.part, t)}


def _part(part: str, t: Translate) -> str:
    parts = {
        "patient": t("the patient"),
        "encounter": t("encounters"),
        "observations": t("observations"),
        "examinations": t("examinations"),
        "conditions": t("conditions"),
    }
    return parts.get(part) or quoted(part)


def _population(prediction: Prediction, words: Words) -> str:
    t, risk, version = words.t, prediction.risk, quoted(prediction.model_version)
    disclaimer = t("Demonstration, not for clinical use.")
    if risk is None:
        reason = prediction.risk_omitted or ""
        omitted = t("Risk model %(version)s not used: %(reason)s.") % {
            "version": version,
            "reason": words.risk_omitted.get(reason) or quoted(reason),
        }
        return f"*{omitted} {disclaimer}*"
    population = t(
        "risk %(version)s: %(count)s visits like this in the training data (adult US emergency visits "
        "that ended in discharge or ICU) led to ICU; all adults %(base)s."
    ) % {
        "version": version,
        "count": per_hundred(risk.probability, words),
        "base": per_hundred(risk.base_rate, words),
    }
    return f"*{population} {disclaimer}*"


def _joined(items: Sequence[str], most: int, words: Words) -> str:
    rest = len(items) - most
    more = [words.t("and %(count)d more") % {"count": rest}] if rest > 0 else []
    return _SEPARATOR.join([*items[:most], *more])
