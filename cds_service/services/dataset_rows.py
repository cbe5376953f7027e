"""From a labelled prediction to the row of a dataset, or the reason why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.actor import SYNTHETIC, is_synthetic
from cds_service.domain.consensus import Agreement, Vote, Votes, settle, votes_on
from cds_service.domain.dataset import OLDEST_AGE, TASKS, Contents, DatasetRules, class_of
from cds_service.domain.features import FEATURES, Matrix
from cds_service.domain.label import CATEGORIES
from cds_service.domain.sway import sight
from cds_service.services.assess import TAUGHT_BY_MADE_UP
from cds_service.services.patient_labels import OLDEST
from cds_service.storage.identity import Keyring
from cds_service.storage.labelled_log import LabelledPrediction
from cds_service.storage.patient_facts import PatientFacts

# The service whose predictions are a hospital's own history; a file that says it is made up has a hook of that name.
HISTORY_SERVICE = "import-history"

_AGE = FEATURES.index("age")
_VITALS = slice(2, 8)
# Beside the columns of the file: what the weights are made of, and the moment `order` is made of.
BESIDE = {"sight": "text", "said": "text", "at": "int64"}
_DAY = 86_400_000_000  # microseconds
_STATES = frozenset(CATEGORIES)


@dataclass(frozen=True, slots=True)
class Chosen:
    """How rows are chosen, the same for every row of a dataset; predictions before `since` are left aside.

    `synthetic` says whether made-up patients are meant, instead of real ones: never both.
    """

    task: str
    policy: str
    as_of: datetime
    rules: DatasetRules
    keyring: Keyring
    since: datetime | None = None
    synthetic: bool = False

    @property
    def fact(self) -> str:
        """The fact of a label the task learns."""
        return TASKS[self.task]

    @property
    def mature(self) -> Mapping[str, datetime]:
        """By class the last moment of a prediction that has waited long enough for its labels."""
        return {name: self.as_of - timedelta(days=days) for name, days in self.rules.maturity_days.items()}


@dataclass(slots=True)
class Tally:
    """What was counted on the way: rows left out by reason, and how far clinicians agreed."""

    excluded: Counter[str] = field(default_factory=Counter)
    agreement: Agreement = field(default_factory=Agreement)
    seen: set[bytes] = field(default_factory=set)
    labelled: int = 0


class _Row(NamedTuple):
    """A labelled prediction that can be learned from: what the card said, what labels hold, which one is believed."""

    prediction: LabelledPrediction
    said: Contents
    current: Votes
    believed: Vote


_UNCODED = (None, None)


def columns_of(
    batch: Iterable[tuple[LabelledPrediction, Votes]], chosen: Chosen, tally: Tally, known: PatientFacts
) -> dict[str, Any]:
    """The columns of the rows of some labelled predictions; what is left out is counted in `tally`."""
    rows, mature, erased = [], chosen.mature, known.erased
    for prediction, current in batch:
        tally.labelled += 1
        is_erased = erased and known.is_erased(prediction.patient_key)
        row = "erased" if is_erased else _row(prediction, current, mature, chosen, tally)
        if isinstance(row, str):
            tally.excluded[row] += 1
        else:
            rows.append(row)
    matrix = np.array([row.said.features for row in rows], dtype=np.float32).reshape(-1, len(FEATURES))
    facts = _facts(rows, chosen, known)
    kept = _kept(facts, matrix, chosen, tally)
    columns: dict[str, Any] = facts
    if not kept.all():
        matrix = matrix[kept]
        columns = {name: list(compress(values, kept)) for name, values in facts.items()}
    matrix[:, _AGE] = np.minimum(matrix[:, _AGE], OLDEST_AGE)
    return columns | {name: matrix[:, index] for index, name in enumerate(FEATURES)}


def _row(
    prediction: LabelledPrediction, current: Votes, mature: Mapping[str, datetime], chosen: Chosen, tally: Tally
) -> _Row | str:
    """The prediction as a row, or why it is left out."""
    if _is_made_up(prediction) is not chosen.synthetic:
        return "real" if chosen.synthetic else SYNTHETIC
    said = prediction.contents
    if said is None:
        return "rare-diseases"
    if not current:
        return "no-label-holds"
    fact = chosen.fact
    votes = votes_on(fact, current)
    if not votes:
        return f"no-{fact.replace('_', '-')}"
    tally.agreement.add(fact, votes)
    believed = settle(chosen.policy, fact, votes)
    if isinstance(believed, str):
        return believed
    if chosen.task == "risk" and said.band is None and said.risk_omitted != TAUGHT_BY_MADE_UP:
        return said.risk_omitted or "no-risk"
    if prediction.created_at > mature[class_of(getattr(believed, fact))]:
        return "immature"
    return _Row(prediction, said, current, believed)


def _facts(rows: Sequence[_Row], chosen: Chosen, known: PatientFacts) -> dict[str, list[Any]]:
    """Everything of the rows but their inputs, column by column."""
    name = chosen.keyring.pseudonym
    predictions = [row.prediction for row in rows]
    believed = [row.believed for row in rows]
    said = [row.said for row in rows]
    keys = [name("row", one.id) for one in predictions]
    patients = [
        name("patient", known.key_of(one.patient_key)) if one.patient_key else key
        for one, key in zip(predictions, keys, strict=True)
    ]
    sites = {tenant: name("site", tenant) for tenant in {one.tenant for one in predictions}}
    coded = [_coded(row, known) for row in rows]
    facts = {fact: [_settled(fact, row, chosen) for row in rows] for fact in TASKS.values()}
    moments = [one.created_at for one in predictions]
    return {
        "row": keys,
        "patient": patients,
        "year": [at.year for at in moments],
        **facts,
        "code_system": [system for system, _ in coded],
        "code": [code for _, code in coded],
        "saw_prediction": [vote.saw_prediction for vote in believed],
        "shown": [one.shown for one in predictions],
        "agreed": [_agrees(card, fact) for card, fact in zip(said, facts[chosen.fact], strict=True)],
        "probability": [card.probability for card in said],
        "model_version": [one.model_version for one in predictions],
        "holdout": [is_held_out(patient, chosen.rules.holdout_share) for patient in patients],
        "site": [sites[one.tenant] for one in predictions],
        "source": [vote.source for vote in believed],
        "synthetic": [chosen.synthetic] * len(rows),
        "sight": [_sight(row) for row in rows],
        "said": [_said(card, chosen.task) or "" for card in said],
        "at": [int(at.timestamp() * 1_000_000) for at in moments],
    }


def _kept(facts: Mapping[str, Sequence[Any]], inputs: Matrix, chosen: Chosen, tally: Tally) -> NDArray[np.bool_]:
    """Which rows measured anything, and not the same of the same patient on the same day."""
    kept = np.asarray(~np.isnan(inputs[:, _VITALS]).all(axis=1))
    tally.excluded += Counter({"no-vitals": int((~kept).sum())})
    days = (np.array(facts["at"], dtype=np.int64) // _DAY).tolist()
    patients, said, seen = facts["patient"], facts[chosen.fact], tally.seen
    measured, width = inputs.tobytes(), inputs.itemsize * inputs.shape[1]
    for number in np.flatnonzero(kept).tolist():
        whose = f"{patients[number]}{days[number]}{said[number]}".encode()
        key = blake2b(whose + measured[number * width : (number + 1) * width], digest_size=8).digest()
        if key in seen:
            tally.excluded["duplicate"] += 1
            kept[number] = False
        seen.add(key)
    return kept


def is_held_out(patient: str, share: float) -> bool:
    """Whether a patient's rows are kept from training, by the keyed hash: the same patient always, all rows alike."""
    return int(patient[:8], 16) < share * 2**32


def _settled(fact: str, row: _Row, chosen: Chosen) -> Any:
    if len(row.current) == 1 or fact == chosen.fact:
        return getattr(row.believed, fact)
    votes = votes_on(fact, row.current)
    believed = settle(chosen.policy, fact, votes) if votes else None
    return getattr(believed, fact) if isinstance(believed, Vote) else None


def _is_made_up(prediction: LabelledPrediction) -> bool:
    return is_synthetic(prediction.tenant) or prediction.hook == SYNTHETIC


def _sight(row: _Row) -> str:
    is_history = row.prediction.service == HISTORY_SERVICE
    return sight(shown=row.prediction.shown, saw_prediction=row.believed.saw_prediction, is_history=is_history)


def _coded(row: _Row, known: PatientFacts) -> tuple[str | None, str | None]:
    """System and code of the diagnosis: of the believed label, else of another, else the patient's next one."""
    if row.believed.code is not None:
        return row.believed.code_system, row.believed.code
    if len(row.current) > 1:
        said = next((vote for vote in reversed(row.current) if vote.code is not None), None)
        if said is not None:
            return said.code_system, said.code
    key, at = row.prediction.patient_key, row.prediction.created_at
    later = known.diagnoses.get(known.key_of(key), ()) if key else ()
    if not later:
        return _UNCODED
    held = set(row.said.conditions)
    found = (one for one in later if at <= one.observed_at <= at + OLDEST and (one.system, one.code) not in held)
    return next(((one.system, one.code) for one in found), (None, None))


def _said(card: Contents, task: str) -> str | None:
    """What the card said of what the task learns; None where it said nothing of it."""
    if task == "risk":
        return card.band
    return card.states[0] if card.states else None


def _agrees(card: Contents, fact: object) -> bool | None:
    """Whether the label says what the card said: one of its states, or an admission where the risk was high."""
    if not isinstance(fact, str):
        return None if card.band is None else (card.band == "high") == fact
    said = _STATES.intersection(card.states)
    return fact in said if said else None
