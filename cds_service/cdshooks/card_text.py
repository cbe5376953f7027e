"""The detail of a card: Markdown sections, each said by one function, from a prediction and the words of a language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo

from cds_service.cdshooks.markdown import plain, quoted
from cds_service.cdshooks.news2_text import news2_section
from cds_service.cdshooks.prefetch import Note, NoteKind
from cds_service.cdshooks.risk_text import population
from cds_service.cdshooks.wording import Words, clock, minutes_between
from cds_service.domain.patient import NotUsed, PatientSnapshot, Reading, UnusedReading
from cds_service.domain.prediction import Prediction, StateEstimate, StateTag
from cds_service.i18n import Translate
from cds_service.state_words import CLASSES, by_probability, learnt_from, likelihood, likely_set, percent
from cds_service.vocabulary import VITALS

# Log-odds that one value moves the risk by: 0.1 is a factor of 1.1, 0.5 one of 1.65. Chosen by us so that a card shows
# what a reader could notice; the prediction's own page lists every value.
SHOWN_FROM, STRONG_FROM = 0.1, 0.5
# A card must fit a corridor: chosen by us. What is cut is counted, and on the prediction's page.
MOST_DRIVERS, MOST_UNUSED, MOST_HELPFUL, MOST_EVIDENCE = 6, 8, 3, 4

_SEPARATOR = " · "
_ORDER = tuple(VITALS)
# By whether a value raises the risk, and whether strongly.
_MARKS = (("▽", "▽▽"), ("▲", "▲▲"))
# Named here because looking a member up in its enumeration is a call, and every reading is asked.
_STALE, _SUPERSEDED, _IMPLAUSIBLE = NotUsed.STALE, NotUsed.SUPERSEDED, NotUsed.IMPLAUSIBLE


def detail(prediction: Prediction, words: Words, notes: Sequence[Note] = (), zone: tzinfo = UTC) -> str:
    """The card's Markdown, what throws doubt on the record first, then alarming values; times in `zone`."""
    snapshot = prediction.snapshot
    unused = shown_unused(snapshot)
    sections = (
        " ".join([f"**{remark}.**" for remark in first_remarks(snapshot, words)]),
        _alarming([reading for reading in unused if reading.alarming], words),
        _why(prediction, words),
        news2_section(prediction, words),
        _states(prediction.states, words),
        _state_model(prediction.state_model, words),
        _used(snapshot, words, zone),
        _not_used(unused, snapshot.at, words),
        _would_help(prediction.would_help, words),
        _notes(notes, snapshot, words),
        _population(prediction, words),
    )
    return "\n\n".join(filter(None, sections))


def shown_unused(snapshot: PatientSnapshot) -> list[UnusedReading]:
    """Readings left out that a card names, impossible values first: not what a newer reading has replaced."""
    impossible: list[UnusedReading] = []
    others: list[UnusedReading] = []
    for reading in snapshot.not_used:
        reason = reading.reason
        if reason is _IMPLAUSIBLE:
            impossible.append(reading)
        elif reason is not _SUPERSEDED and not (reason is _STALE and reading.name in snapshot.readings):
            others.append(reading)
    return impossible + others


def _sent(reading: UnusedReading, words: Words, safe: Callable[[str, int], str] = quoted) -> str:
    """Name and value of a reading as it was sent; `safe` is how the place it goes to wants data."""
    form = words.forms.get(reading.name)
    name = form[0] if form else safe(reading.name, 20)
    return f"{name} {safe(reading.original.replace(' /', '/'), 30)}".rstrip()


def alarm(reading: UnusedReading, words: Words) -> str:
    """One value that may be an emergency rather than an error, as plain text."""
    return words.t("%(reading)s: check the patient") % {"reading": _sent(reading, words, plain)}


def _alarming(alarming: Sequence[UnusedReading], words: Words) -> str:
    if not alarming:
        return ""
    alarms = [f"{_sent(reading, words)}{_source(reading.source)}" for reading in alarming]
    return _section(words.t("Check the patient"), _joined(alarms, MOST_UNUSED, words))


def _why(prediction: Prediction, words: Words) -> str:
    if prediction.risk is None:
        return ""
    t, shown = words.t, []
    for feature, value, contribution in prediction.risk.drivers[:MOST_DRIVERS]:
        size = abs(contribution)
        if size < SHOWN_FROM:
            continue
        if value is None:
            said = t("%(input)s unknown") % {"input": words.name(feature)}
        else:
            said = words.reading(feature, value)
        shown.append(f"{said} {_MARKS[contribution > 0][size >= STRONG_FROM]}")
    reasons = _SEPARATOR.join(shown) or t("no single value moved the risk much")
    return _section(t("Why (▲ raises, ▽ lowers the risk)"), reasons)


def _states(states: Sequence[StateTag], words: Words) -> str:
    tags = []
    for state, bases, items in states:
        basis = " + ".join(map(words.bases.__getitem__, bases))
        evidence = ", ".join(map(quoted, items[:MOST_EVIDENCE]))
        support = f"{basis}: {evidence}" if basis and evidence else basis or evidence
        name = words.states[state]
        tags.append(f"{name} ({support})" if support else name)
    return _section(words.t("State"), _SEPARATOR.join(tags))


def _state_model(estimate: StateEstimate | None, words: Words) -> str:
    """What the hospital's own model makes of the five states, beside the tags of the rules."""
    if estimate is None:
        return ""
    t = words.t
    shares = [f"{t(CLASSES[name])} {percent(p, t)} ({likelihood(p, t)})" for name, p in by_probability(estimate)]
    said = (
        f"{_SEPARATOR.join(shares)}; {likely_set(estimate, t)}. *{learnt_from(estimate, quoted(estimate.version), t)}*"
    )
    return _section(t("States by this hospital's model"), said)


def _used(snapshot: PatientSnapshot, words: Words, zone: tzinfo) -> str:
    """Readings by their moment, newest first; the order within a moment is that of the table."""
    readings = snapshot.readings
    if not readings:
        return ""
    moments: dict[datetime, list[str]] = {}
    for name in _ORDER:
        if name in readings:
            reading = readings[name]
            moments.setdefault(reading.time, []).append(_reading(reading, words))
    at, ago, said = snapshot.at.astimezone(zone), words.t("%(age)s ago"), []
    for time in sorted(moments, reverse=True):
        # not between local times: Python takes those of one zone apart as its clocks show them, set back or forward
        age = ago % {"age": words.age(minutes_between(time, snapshot.at))}
        said.append(f"{clock(time.astimezone(zone), at)}, {age}: {_SEPARATOR.join(moments[time])}")
    return _section(words.t("Used (times in %(zone)s)") % {"zone": zone}, "; ".join(said))


def _reading(reading: Reading, words: Words) -> str:
    text, source = words.reading(reading.name, reading.value), quoted(reading.source)
    if reading.flags:
        source = ", ".join(filter(None, (source, *map(words.flags.__getitem__, reading.flags))))
    return f"{text} ({source})" if source else text


def _not_used(unused: Sequence[UnusedReading], at: datetime, words: Words) -> str:
    items = []
    for reading in unused:
        _, reason, source, _, detail_, time, alarming = reading
        if alarming:
            continue
        if reason is _STALE and time is not None:
            why = words.t("%(age)s old") % {"age": words.age(minutes_between(time, at))}
        else:
            why = f"{words.reasons[reason]}, {quoted(detail_)}" if detail_ else words.reasons[reason]
        items.append(f"{_sent(reading, words)}: {why}{_source(source)}")
    return _section(words.t("Not used"), _joined(items, MOST_UNUSED, words))


def _source(source: str) -> str:
    return f" ({quoted(source)})" if source else ""


def _would_help(names: tuple[str, ...], words: Words) -> str:
    return _section(words.t("Would help most"), words.names(names[:MOST_HELPFUL]))


def first_remarks(snapshot: PatientSnapshot, words: Words) -> list[str]:
    """What must be said of the record before anything else, short enough for a summary."""
    if not snapshot.remarks:
        return []
    return [words.first_remarks[remark] for remark in snapshot.remarks if remark in words.first_remarks]


def record_remarks(snapshot: PatientSnapshot, words: Words) -> list[str]:
    """What the readers found wrong with the record as a whole."""
    if not snapshot.remarks:
        return []
    return [said for remark in snapshot.remarks if (said := words.record_remarks[remark])]


def _notes(notes: Sequence[Note], snapshot: PatientSnapshot, words: Words) -> str:
    if not notes and not snapshot.remarks:
        return ""
    sentences = [*(note_text(note, words.t) for note in notes), *record_remarks(snapshot, words)]
    return _section(words.t("Note"), " ".join(sentences))


def note_text(note: Note, t: Translate) -> str:
    """What the card says of one prefetch part."""
    sentences = {
        NoteKind.QUERY_FAILED: t("The EHR's query for %(part)s failed."),
        NoteKind.QUERY_REPORTED: t("The EHR reported a problem with its query for %(part)s."),
        NoteKind.FIRST_PAGE_ONLY: t("Of %(part)s only the first page was read."),
        NoteKind.NOT_FETCHED: t("The EHR's FHIR server was asked for %(part)s and did not give it."),
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
    return f"*{population(prediction, words)} {words.t('Demonstration, not for clinical use.')}*"


def _section(title: str, body: str) -> str:
    return f"**{title}:** {body}" if body else ""


def _joined(items: Sequence[str], most: int, words: Words) -> str:
    if len(items) <= most:
        return _SEPARATOR.join(items)
    more = words.t("and %(count)d more") % {"count": len(items) - most}
    return _SEPARATOR.join([*items[:most], more])
