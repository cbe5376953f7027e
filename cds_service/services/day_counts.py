"""From what is stored of a day to what it comes to: predictions, reports on their cards, and what labels say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import isnan, log

import msgspec
import numpy as np

from cds_service.cdshooks.override_reasons import reason_name
from cds_service.domain.consensus import settle, votes_on
from cds_service.domain.features import FEATURES, Matrix, matrix_from_snapshots
from cds_service.domain.feedback import OVERRIDDEN, Feedback, standing_report
from cds_service.domain.label import CATEGORIES, Label, current_labels
from cds_service.monitoring.day_counts import PROBABILITY_BINS, TOP, Reports, Truth, Visits, count, probability_bin
from cds_service.services.dataset_rows import HISTORY_SERVICE
from cds_service.services.references import References
from cds_service.services.stored import Outcome, RareOutcome, StoredInputs, concluded_from_bytes, inputs_from_bytes
from cds_service.storage.day_rows import Concluded, MadePrediction
from cds_service.storage.rollups import Whose

# Of several labels on one prediction, as of a data set by default (docs/reference/datasets.md#policies).
POLICY = "latest"
_LOWEST_P = 1e-6
_DIGITS = 15  # hexadecimal, of what patients are told apart by: the longest that a small integer of Python holds


class _Card(msgspec.Struct):
    indicator: str


class _Reply(msgspec.Struct):
    cards: list[_Card] = []


_REPLY = msgspec.json.Decoder(_Reply)


@dataclass(slots=True)
class VisitsFold:
    """The visits of one tenant and environment, fed in the order they were made.

    Patients are remembered while a day is counted, by 60 bits of their keyed hash, and are in nothing that is stored:
    among a million of a day two are taken for one with a chance of 1 in 2 million.
    """

    references: References
    counts: Visits = field(default_factory=Visits)
    _bands: dict[int, str] = field(default_factory=dict)

    def add(self, batch: Iterable[MadePrediction]) -> None:
        """Count these too; a hospital's imported history was answered to nobody and is not counted."""
        assessed: dict[str, list[tuple[StoredInputs, Outcome]]] = {}
        for made in batch:
            if made.service == HISTORY_SERVICE:
                continue
            count(self.counts.services, made.service)
            self._count_card(made)
            concluded = concluded_from_bytes(made.outcome)
            if isinstance(concluded, RareOutcome):
                self.counts.rankings += 1
                count(self.counts.rare, concluded.ranking.omitted or concluded.ranking.band)
                continue
            self._count_outcome(made, concluded)
            inputs = inputs_from_bytes(made.snapshot)
            self._count_readings(inputs)
            assessed.setdefault(made.model_version, []).append((inputs, concluded))
        for version, found in assessed.items():
            self._count_inputs(version, found)

    def _count_card(self, made: MadePrediction) -> None:
        self.counts.shown += made.shown
        cards = _REPLY.decode(made.reply).cards if made.hook and made.shown else []
        if cards:
            count(self.counts.cards.setdefault(made.service, {}), cards[0].indicator)

    def _count_outcome(self, made: MadePrediction, concluded: Outcome) -> None:
        counts = self.counts
        counts.predictions += 1
        band = concluded.risk.band if concluded.risk else concluded.risk_omitted or ""
        count(counts.bands, band)
        count(counts.news2, concluded.news2.level if concluded.news2 else concluded.news2_omitted or "")
        for tag in concluded.states:
            count(counts.states, tag.state)
        if concluded.state_model is not None:
            count(counts.likeliest, _likeliest(concluded))
        self._count_visit(int((made.patient_key or made.id.hex)[-_DIGITS:], 16), band)

    def _count_visit(self, patient: int, band: str) -> None:
        """A visit counts once, and as flagged or raised from the first prediction that says so."""
        before = self._bands.get(patient)
        if before is None:
            self.counts.visits += 1
        if band == "high" and before != "high":
            self.counts.flagged += 1
        if band in ("high", "moderate") and before not in ("high", "moderate"):
            self.counts.raised += 1
        if before is None or _RANK.get(band, 0) > _RANK.get(before, 0):
            self._bands[patient] = band

    def _count_readings(self, inputs: StoredInputs) -> None:
        for name in inputs.readings:
            count(self.counts.used, name)
        for unused in inputs.not_used:
            count(self.counts.not_used.setdefault(unused.name, {}), unused.reason)

    def _count_inputs(self, version: str, found: Sequence[tuple[StoredInputs, Outcome]]) -> None:
        references = self.references.of(version)
        if not references:
            return
        into = self.counts.inputs.setdefault(version, {})
        matrix: Matrix = matrix_from_snapshots([inputs for inputs, _ in found])
        columns = {name: matrix[:, index].astype(np.float64) for index, name in enumerate(FEATURES)}
        risks = [concluded.risk for _, concluded in found if concluded.risk is not None]
        for tier in {risk.tier for risk in risks}:
            columns[f"probability.{tier}"] = np.array([risk.probability for risk in risks if risk.tier == tier])
        for name, column in columns.items():
            reference = references.get(name)
            if reference is None:
                continue
            known = column[~np.isnan(column)]
            places = np.searchsorted(np.asarray(reference.edges), known, side="right")
            counts = [*np.bincount(places, minlength=len(reference.edges) + 1).tolist(), len(column) - len(known)]
            before = into.get(name)
            into[name] = counts if before is None else [a + b for a, b in zip(before, counts, strict=True)]


_RANK = {"low": 1, "moderate": 2, "high": 3}


def count_reports(found: Iterable[tuple[Whose, str, list[Feedback]]]) -> dict[Whose, Reports]:
    """The report that holds on each card, by whose it is."""
    counts: dict[Whose, Reports] = {}
    for whose, service, reports in found:
        report = standing_report(reports)
        into = counts.setdefault(whose, Reports())
        if report is not None and report.outcome == OVERRIDDEN:
            count(into.overridden.setdefault(service, {}), reason_name(report.reason))
        elif report is not None:
            count(into.accepted, service)
    return counts


def count_truth(found: Iterable[tuple[Concluded, tuple[Label, ...]]], *, as_of: datetime) -> dict[Whose, Truth]:
    """What the labels that hold say of each prediction, by whose it is.

    Labels of the test environment count for its own predictions, and nowhere else.
    """
    counts: dict[Whose, Truth] = {}
    for prediction, events in found:
        if prediction.service == HISTORY_SERVICE:
            continue
        current = current_labels([replace(event, environment="production") for event in events], as_of)
        if current:
            whose = Whose(prediction.tenant, prediction.environment)
            _count_labels(counts.setdefault(whose, Truth()), prediction, current)
    return counts


def _count_labels(into: Truth, prediction: Concluded, current: Sequence[Label]) -> None:
    into.labelled += 1
    into.seen += any(label.saw_prediction == "yes" for label in current)
    concluded = concluded_from_bytes(prediction.outcome)
    if isinstance(concluded, RareOutcome):
        _count_rank(into, concluded, current)
        return
    admitted, category = (_believed(fact, current, into) for fact in ("icu_admission", "category"))
    if isinstance(admitted, bool) and concluded.risk is not None:
        _count_risk(into, concluded.risk.probability, concluded.risk.band, admitted=admitted)
    if isinstance(category, str):
        said = {tag.state for tag in concluded.states} & set(CATEGORIES)
        _count_states(into.states, category, said)
        if concluded.state_model is not None:
            _count_states(into.model, category, {_likeliest(concluded)})


def _believed(fact: str, current: Sequence[Label], into: Truth) -> bool | str | None:
    """What is believed of this fact; None where nobody said it, or those who did are of two minds."""
    votes = votes_on(fact, current)
    if not votes:
        return None
    believed = settle(POLICY, fact, votes)
    if isinstance(believed, str):
        into.disputed += 1
        return None
    value: bool | str | None = getattr(believed, fact)
    return value


def _count_risk(into: Truth, probability: float, band: str, *, admitted: bool) -> None:
    if isnan(probability):
        return
    p = min(max(probability, _LOWEST_P), 1 - _LOWEST_P)
    if not into.risk:
        into.risk = [[0] * PROBABILITY_BINS, [0] * PROBABILITY_BINS, [0.0] * PROBABILITY_BINS]
    place = probability_bin(log(p / (1 - p)))
    for column, more in zip(into.risk, (1, admitted, probability), strict=True):
        column[place] += more
    of_band = into.bands.setdefault(band, [0, 0])
    of_band[0], of_band[1] = of_band[0] + 1, of_band[1] + admitted


def _count_states(into: dict[str, dict[str, int]], category: str, said: Iterable[str]) -> None:
    of_true = into.setdefault(category, {})
    count(of_true, "")
    for state in said:
        count(of_true, state)


def _count_rank(into: Truth, concluded: RareOutcome, current: Sequence[Label]) -> None:
    """Where in the list the disease stands that a label names; nothing where none names one, or there is no list."""
    true = {label.rare_disease for label in current} - {None}
    if not true or concluded.ranking.omitted:
        return
    places = [place for place, one in enumerate(concluded.ranking.candidates) if true & {one.id, *one.also}]
    before = into.rare or [0, 0, 0]
    is_first, is_listed = bool(places and places[0] == 0), bool(places and places[0] < TOP)
    into.rare = [before[0] + 1, before[1] + is_first, before[2] + is_listed]


def _likeliest(concluded: Outcome) -> str:
    assert concluded.state_model is not None  # noqa: S101 -- asked for only where there is one
    probabilities = concluded.state_model.probabilities
    return max(probabilities, key=lambda name: probabilities[name])
