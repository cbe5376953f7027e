"""What the data are like: readings left out and why, inputs missing, and how far all are from the training data."""

from __future__ import annotations

from collections.abc import Mapping

from cds_service.domain.patient import NotUsed
from cds_service.domain.vitals import VITAL_SIGNS
from cds_service.i18n import msgid
from cds_service.monitoring.drift import MAJOR, SOME, Reference, Shift, names_of_bins, shift
from cds_service.services.dashboard import Gathered
from cds_service.web.console import plots
from cds_service.web.console.panel import Panel, Section, Table, Told

# Reasons that say something of a sender or a device, in the columns of the table; all others are put together.
_UNITS = (NotUsed.UNKNOWN_UNIT, NotUsed.MISSING_UNIT)
_RANGE = (NotUsed.IMPLAUSIBLE, NotUsed.INCONSISTENT)
_TIME = (NotUsed.STALE, NotUsed.FUTURE, NotUsed.NO_TIME)

Shifts = Mapping[str, Shift]


def shifts(found: Gathered, references: Mapping[str, Reference], version: str) -> dict[str, Shift]:
    """How far each input of the version in force is from what the version was fitted on."""
    days = [day.visits.inputs.get(version, {}) for day in found.days.values()]
    return {name: shift(one, [day[name] for day in days if name in day]) for name, one in references.items()}


def data(found: Gathered, told: Told, references: Mapping[str, Reference], moved: Shifts, version: str) -> Section:
    """The section of the data."""
    panels = (_quality(found, told), *_missing(found, told, references, version))
    return Section(told.t("Data"), (*panels, *_inputs(found, told, references, moved, version)))


def _quality(found: Gathered, told: Told) -> Panel:
    t, visits = told.t, found.visits
    names = [name for name in VITAL_SIGNS if name in visits.used or name in visits.not_used]
    rows, drawn = [], []
    for name in names:
        reasons = visits.not_used.get(name, {})
        left_out = sum(reasons.values())
        sent = visits.used.get(name, 0) + left_out
        groups = [sum(reasons.get(one.value, 0) for one in group) for group in (_RANGE, _UNITS, _TIME)]
        cells = [told.per_cent_of(number, sent) for number in (*groups, left_out - sum(groups), left_out)]
        rows.append((told.words.name(name), told.count(sent), *cells))
        drawn.append((told.words.name(name), left_out / sent if sent else 0.0, cells[-1]))
    unit = t("of the readings sent")
    head = (
        t("vital sign"),
        t("sent"),
        t("out of range"),
        t("unit unknown"),
        t("too old, or time unknown"),
        t("other reasons"),
    )
    whole = sum(visits.used.values()) + sum(sum(by.values()) for by in visits.not_used.values())
    lost = sum(sum(by.values()) for by in visits.not_used.values())
    lead = t("%(share)s of %(number)s readings not used") % {
        "share": told.per_cent_of(lost, whole), "number": told.count(whole),
    }  # fmt: skip
    return Panel(
        "quality", t("Readings not used"), lead, Table((*head, t("all")), tuple(rows)), ((unit, plots.bars(drawn)),)
    )


def _missing(found: Gathered, told: Told, references: Mapping[str, Reference], version: str) -> tuple[Panel, ...]:
    t, inputs = told.t, found.visits.inputs.get(version, {})
    names = [name for name in references if name in inputs and not name.startswith("probability.")]
    if not names:
        return ()
    shares = [inputs[name][-1] / sum(inputs[name]) for name in names]
    usual = [references[name].missing_share for name in names]
    rows = tuple(
        (told.words.name(name), told.percent(now), told.percent(before))
        for name, now, before in zip(names, shares, usual, strict=True)
    )
    plot = plots.bars([(row[0], now, row[1]) for row, now in zip(rows, shares, strict=True)], compared=usual)
    worst = max(range(len(names)), key=lambda one: shares[one] - usual[one])
    lead = t("Most often missing beyond the usual: %(name)s") % {"name": rows[worst][0]}
    note = t("The mark on each bar is the share that was missing in the training data.")
    head = (t("input"), t("missing"), t("in the training data"))
    return (Panel("missing", t("Inputs missing"), lead, Table(head, rows), (("", plot),), note),)


def _inputs(
    found: Gathered, told: Told, references: Mapping[str, Reference], moved: Shifts, version: str
) -> tuple[Panel, ...]:
    t, inputs = told.t, found.visits.inputs.get(version, {})
    names = sorted((name for name in references if name in inputs), key=lambda name: -(moved[name].index or 0))
    if not names:
        return ()
    rows = tuple(
        (_name(name, told), told.count(moved[name].n), _index(moved[name], told), _judged(moved[name], told))
        for name in names
    )
    drawn = tuple(
        (f"{row[0]}: {row[2]}", _histogram(references[name], inputs[name]))
        for name, row in zip(names, rows, strict=True)
    )
    bins = tuple(row for name in names for row in _bins(name, references[name], inputs[name], told))
    far = sum((moved[name].index or 0) >= MAJOR for name in names)
    lead = t("%(number)s of %(all)s inputs far from the training data") % {"number": far, "all": len(names)}
    note = t(
        "Bars are what came, marks the training data of version %(version)s. The population stability index is an "
        "effect size: under %(some)s little, from %(major)s a major shift (Siddiqi 2006). What is missing is a bin of "
        "its own."
    ) % {"version": version, "some": told.number(SOME, 1), "major": told.number(MAJOR)}
    head = (t("input"), t("predictions"), t("stability index"), t("judgment"))
    finer = Table((t("input"), t("from – to"), t("came"), t("training")), bins)
    return (Panel("inputs", t("Inputs against the training data"), lead, Table(head, rows), drawn, note, more=finer),)


def _name(name: str, told: Told) -> str:
    tier = name.removeprefix("probability.")
    return told.words.name(name) if tier == name else told.t("probability (%(tier)s)") % {"tier": tier}


def _index(found: Shift, told: Told) -> str:
    return told.t("too few") if found.index is None else told.number(found.index, 3)


def _judged(found: Shift, told: Told) -> str:
    if found.is_drift:
        return told.t("▲ drift: far in several windows")
    if found.index is None:
        return "–"
    words = {MAJOR: msgid("◆ far"), SOME: msgid("some shift"), 0.0: msgid("as in training")}
    return told.t(next(text for least, text in words.items() if found.index >= least or least == 0.0))


def _histogram(reference: Reference, counts: list[int]) -> plots.Plot:
    came, usual = sum(counts) or 1, sum(reference.bins)
    return plots.histogram([one / came for one in counts], [one / usual for one in reference.bins])


def _bins(name: str, reference: Reference, counts: list[int], told: Told) -> list[tuple[str, ...]]:
    came, usual = sum(counts), sum(reference.bins)
    names = [*names_of_bins(reference.edges), told.t("missing")]
    return [
        (_name(name, told), text, told.per_cent_of(now, came), told.per_cent_of(before, usual))
        for text, now, before in zip(names, counts, reference.bins, strict=True)
    ]
