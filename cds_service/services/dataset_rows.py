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
from cds_service.domain.dataset import OLDEST_AGE, TASKS, DatasetRules, class_of
from cds_service.domain.features import FEATURES, Matrix, matrix_from_snapshots
from cds_service.domain.label import CATEGORIES
from cds_service.domain.sway import sight
from cds_service.services.patient_labels import OLDEST
from cds_service.services.stored import Said, StoredFeatures, features_from_bytes, said_from_bytes
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


@dataclass(slots=True)
class Tally:
    """What was counted on the way: rows left out by reason, and how far clinicians agreed."""

    excluded: Counter[str] = field(default_factory=Counter)
    agreement: Agreement = field(default_factory=Agreement)
    seen: set[bytes] = field(default_factory=set)
    labelled: int = 0


class _Row(NamedTuple):
    """A labelled prediction that can be learned from: what was said of it, what holds, and what is believed."""

    prediction: LabelledPrediction
    concluded: Said
    current: Votes
    believed: Vote


def columns_of(
    batch: Iterable[tuple[LabelledPrediction, Votes]], chosen: Chosen, tally: Tally, known: PatientFacts
) -> dict[str, Any]:
    """The columns of the rows of some labelled predictions; what is left out is counted in `tally`."""
    rows = []
    for prediction, current in batch:
        tally.labelled += 1
        erased = known.is_erased(prediction.patient_key)
        row = "erased" if erased else _row(prediction, current, chosen, tally)
        if isinstance(row, str):
            tally.excluded[row] += 1
        else:
            rows.append(row)
    inputs = [features_from_bytes(row.prediction.snapshot) for row in rows]
    matrix = matrix_from_snapshots(inputs)
    facts = _facts(rows, inputs, chosen, known)
    kept = _kept(facts, matrix, chosen, tally)
    matrix = matrix[kept]
    matrix[:, _AGE] = np.minimum(matrix[:, _AGE], OLDEST_AGE)
    columns = {name: list(compress(values, kept)) for name, values in facts.items()}
    return columns | {name: matrix[:, index] for index, name in enumerate(FEATURES)}


def _row(prediction: LabelledPrediction, current: Votes, chosen: Chosen, tally: Tally) -> _Row | str:
    """The prediction as a row, or why it is left out."""
    if _is_made_up(prediction) is not chosen.synthetic:
        return "real" if chosen.synthetic else SYNTHETIC
    concluded = said_from_bytes(prediction.outcome)
    if concluded is None:
        return "rare-diseases"
    if not current:
        return "no-label-holds"
    votes = votes_on(chosen.fact, current)
    if not votes:
        return f"no-{chosen.fact.replace('_', '-')}"
    tally.agreement.add(chosen.fact, votes)
    believed = settle(chosen.policy, chosen.fact, votes)
    if isinstance(believed, str):
        return believed
    if chosen.task == "risk" and concluded.risk is None:
        return concluded.risk_omitted or "no-risk"
    mature = timedelta(days=chosen.rules.maturity_days[class_of(getattr(believed, chosen.fact))])
    if prediction.created_at + mature > chosen.as_of:
        return "immature"
    return _Row(prediction, concluded, current, believed)


def _facts(
    rows: Sequence[_Row], inputs: Sequence[StoredFeatures], chosen: Chosen, known: PatientFacts
) -> dict[str, list[Any]]:
    """Everything of the rows but their inputs, column by column."""
    name = chosen.keyring.pseudonym
    keys = [name("row", row.prediction.id) for row in rows]
    patients = [
        name("patient", known.key_of(row.prediction.patient_key)) if row.prediction.patient_key else key
        for row, key in zip(rows, keys, strict=True)
    ]
    sites = {tenant: name("site", tenant) for tenant in {row.prediction.tenant for row in rows}}
    coded = [_coded(row, features, known) for row, features in zip(rows, inputs, strict=True)]
    risks = [row.concluded.risk for row in rows]
    return {
        "row": keys,
        "patient": patients,
        "year": [row.prediction.created_at.year for row in rows],
        **{fact: [_settled(fact, row, chosen) for row in rows] for fact in TASKS.values()},
        "code_system": [system for system, _ in coded],
        "code": [code for _, code in coded],
        "saw_prediction": [row.believed.saw_prediction for row in rows],
        "shown": [row.prediction.shown for row in rows],
        "agreed": [_agrees(row.concluded, getattr(row.believed, chosen.fact)) for row in rows],
        "probability": [risk and risk.probability for risk in risks],
        "model_version": [row.prediction.model_version for row in rows],
        "holdout": [is_held_out(patient, chosen.rules.holdout_share) for patient in patients],
        "site": [sites[row.prediction.tenant] for row in rows],
        "source": [row.believed.source for row in rows],
        "synthetic": [chosen.synthetic] * len(rows),
        "sight": [_sight(row) for row in rows],
        "said": [_said(row.concluded, chosen.task) or "" for row in rows],
        "at": [int(row.prediction.created_at.timestamp() * 1_000_000) for row in rows],
    }


def _kept(facts: Mapping[str, Sequence[Any]], inputs: Matrix, chosen: Chosen, tally: Tally) -> NDArray[np.bool_]:
    """Which rows measured anything, and not the same of the same patient on the same day."""
    kept = np.asarray(~np.isnan(inputs[:, _VITALS]).all(axis=1))
    tally.excluded += Counter({"no-vitals": int((~kept).sum())})
    days = (np.array(facts["at"], dtype=np.int64) // _DAY).tolist()
    for number in np.flatnonzero(kept).tolist():
        whose = f"{facts['patient'][number]}{days[number]}{facts[chosen.fact][number]}".encode()
        key = blake2b(whose + inputs[number].tobytes(), digest_size=8).digest()
        if key in tally.seen:
            tally.excluded["duplicate"] += 1
            kept[number] = False
        tally.seen.add(key)
    return kept


def is_held_out(patient: str, share: float) -> bool:
    """Whether a patient's rows are kept from training, by the keyed hash: the same patient always, all rows alike."""
    return int(patient[:8], 16) < share * 2**32


def _settled(fact: str, row: _Row, chosen: Chosen) -> Any:
    if fact == chosen.fact:
        return getattr(row.believed, fact)
    votes = votes_on(fact, row.current)
    believed = settle(chosen.policy, fact, votes) if votes else None
    return getattr(believed, fact) if isinstance(believed, Vote) else None


def _is_made_up(prediction: LabelledPrediction) -> bool:
    return is_synthetic(prediction.tenant) or prediction.hook == SYNTHETIC


def _sight(row: _Row) -> str:
    is_history = row.prediction.service == HISTORY_SERVICE
    return sight(shown=row.prediction.shown, saw_prediction=row.believed.saw_prediction, is_history=is_history)


def _coded(row: _Row, inputs: StoredFeatures, known: PatientFacts) -> tuple[str | None, str | None]:
    """System and code of the diagnosis: of the believed label, else of another, else the patient's next one."""
    if row.believed.code is not None:
        return row.believed.code_system, row.believed.code
    said = next((vote for vote in reversed(row.current) if vote.code is not None), None)
    if said is not None:
        return said.code_system, said.code
    key, at = row.prediction.patient_key, row.prediction.created_at
    later = known.diagnoses.get(known.key_of(key), ()) if key else ()
    if not later:
        return None, None
    held = {(one.system, one.code) for one in inputs.conditions or ()}
    found = (one for one in later if at <= one.observed_at <= at + OLDEST and (one.system, one.code) not in held)
    return next(((one.system, one.code) for one in found), (None, None))


def _said(concluded: Said, task: str) -> str | None:
    """What the card said of what the task learns; None where it said nothing of it."""
    if task == "risk":
        return None if concluded.risk is None else concluded.risk.band
    return concluded.states[0].state if concluded.states else None


def _agrees(concluded: Said, fact: object) -> bool | None:
    """Whether the label says what the card said: one of its states, or an admission where the risk was high."""
    if not isinstance(fact, str):
        return None if concluded.risk is None else (concluded.risk.band == "high") == fact
    said = [tag.state for tag in concluded.states if tag.state in _STATES]
    return fact in said if said else None
