"""From a labelled prediction to the row of a dataset, or the reason why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.actor import SYNTHETIC, is_synthetic
from cds_service.domain.consensus import Agreement, settle, votes_on
from cds_service.domain.dataset import COLUMNS, OLDEST_AGE, TASKS, DatasetRules, class_of
from cds_service.domain.features import FEATURES, matrix_from_snapshots
from cds_service.domain.label import CATEGORIES, Label, current_labels
from cds_service.domain.sway import sight
from cds_service.services.stored import Said, said_from_bytes, snapshot_from_bytes
from cds_service.storage.identity import Keyring
from cds_service.storage.labelled_log import LabelledPrediction

# The service whose predictions are a hospital's own history; a file that says it is made up has a hook of that name.
HISTORY_SERVICE = "import-history"

_AGE = FEATURES.index("age")
_VITALS = slice(2, 8)
# Beside the columns of the file: what the weights are made of, and the moment `order` is made of.
BESIDE = {"sight": "text", "said": "text", "at": "int64"}
# Known only when all rows are.
LATER = ("order", "weight")
_FROM_ROWS = tuple(name for name in (*COLUMNS, *BESIDE) if name not in FEATURES and name not in LATER)


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


def columns_of(
    batch: Iterable[tuple[LabelledPrediction, Sequence[Label]]], chosen: Chosen, tally: Tally
) -> dict[str, Any]:
    """The columns of the rows of some labelled predictions; what is left out is counted in `tally`."""
    rows: list[dict[str, Any]] = []
    snapshots = []
    for prediction, events in batch:
        tally.labelled += 1
        row = _row(prediction, events, chosen, tally)
        if isinstance(row, str):
            tally.excluded[row] += 1
        else:
            rows.append(row)
            snapshots.append(snapshot_from_bytes(prediction.snapshot))
    matrix = matrix_from_snapshots(snapshots)
    kept = [number for number, row in enumerate(rows) if _is_kept(row, matrix[number], tally)]
    matrix = matrix[kept]
    matrix[:, _AGE] = np.minimum(matrix[:, _AGE], OLDEST_AGE)
    columns: dict[str, Any] = {name: [rows[number][name] for number in kept] for name in _FROM_ROWS}
    return columns | {name: matrix[:, index] for index, name in enumerate(FEATURES)}


def _is_kept(row: dict[str, Any], inputs: NDArray[np.float32], tally: Tally) -> bool:
    """Whether anything was measured, and not the same of the same patient on the same day."""
    if np.isnan(inputs[_VITALS]).all():
        tally.excluded["no-vitals"] += 1
        return False
    whose = f"{row['patient']}{row['day']}{row['class']}".encode()
    key = blake2b(whose + inputs.tobytes(), digest_size=8).digest()
    if key in tally.seen:
        tally.excluded["duplicate"] += 1
        return False
    tally.seen.add(key)
    return True


def _row(prediction: LabelledPrediction, events: Sequence[Label], chosen: Chosen, tally: Tally) -> dict[str, Any] | str:
    """Everything of the row but its inputs, or why it is left out."""
    if _is_made_up(prediction) is not chosen.synthetic:
        return "real" if chosen.synthetic else SYNTHETIC
    concluded = said_from_bytes(prediction.outcome)
    if concluded is None:
        return "rare-diseases"
    current = current_labels(events, chosen.as_of)
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
    fact = getattr(believed, chosen.fact)
    if prediction.created_at + timedelta(days=chosen.rules.maturity_days[class_of(fact)]) > chosen.as_of:
        return "immature"
    return _facts(prediction, current, believed, concluded, chosen)


def _facts(
    prediction: LabelledPrediction,
    current: Sequence[Label],
    believed: Label,
    concluded: Said,
    chosen: Chosen,
) -> dict[str, Any]:
    keyring, fact = chosen.keyring, getattr(believed, chosen.fact)
    row = keyring.pseudonym("row", prediction.id.hex)
    patient = prediction.patient_key
    whose = keyring.pseudonym("patient", patient) if patient else row
    is_history = prediction.service == HISTORY_SERVICE
    coded = believed if believed.code is not None else _coded(current)
    said = _said(concluded, chosen.task)
    return {
        "row": row,
        "patient": whose,
        "year": prediction.created_at.year,
        **{name: fact if name == chosen.fact else _settled(name, current, chosen) for name in TASKS.values()},
        "code_system": coded and coded.code_system,
        "code": coded and coded.code,
        "saw_prediction": believed.saw_prediction,
        "shown": prediction.shown,
        "agreed": _agrees(concluded, fact),
        "probability": None if concluded.risk is None else concluded.risk.probability,
        "model_version": prediction.model_version,
        "holdout": is_held_out(whose, chosen.rules.holdout_share),
        "site": keyring.pseudonym("site", prediction.tenant),
        "source": believed.source.value,
        "synthetic": chosen.synthetic,
        "sight": sight(shown=prediction.shown, saw_prediction=believed.saw_prediction, is_history=is_history),
        "said": said or "",
        "at": int(prediction.created_at.timestamp() * 1_000_000),
        "day": prediction.created_at.date(),
        "class": class_of(fact),
    }


def _is_made_up(prediction: LabelledPrediction) -> bool:
    return is_synthetic(prediction.tenant) or prediction.hook == SYNTHETIC


def is_held_out(patient: str, share: float) -> bool:
    """Whether a patient's rows are kept from training, by the keyed hash: the same patient always, all rows alike."""
    return int(patient[:8], 16) < share * 2**32


def _settled(fact: str, current: Sequence[Label], chosen: Chosen) -> Any:
    votes = votes_on(fact, current)
    believed = settle(chosen.policy, fact, votes) if votes else None
    return getattr(believed, fact) if isinstance(believed, Label) else None


def _coded(current: Sequence[Label]) -> Label | None:
    return next((label for label in reversed(current) if label.code is not None), None)


def _said(concluded: Said, task: str) -> str | None:
    """What the card said of what the task learns; None where it said nothing of it."""
    if task == "risk":
        return None if concluded.risk is None else concluded.risk.band
    return concluded.states[0].state if concluded.states else None


def _agrees(concluded: Said, fact: object) -> bool | None:
    """Whether the label says what the card said: one of its states, or an admission where the risk was high."""
    if not isinstance(fact, str):
        return None if concluded.risk is None else (concluded.risk.band == "high") == fact
    said = {tag.state for tag in concluded.states} & set(CATEGORIES)
    return fact in said if said else None
