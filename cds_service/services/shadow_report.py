"""What a challenger would have changed: agreement with the version in force, and, where labels tell, who was nearer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from math import isnan
from typing import Any

import numpy as np

from cds_service.domain.label import current_labels
from cds_service.domain.paired import Paired, auroc, brier, paired
from cds_service.storage.shadow_log import Compared


def shadow_report(found: Sequence[Compared], *, as_of: datetime) -> dict[str, Any]:
    """Counts, agreement, changes of band or state, differences of the probability, and figures on labelled visits.

    Only predictions that both models answered are compared. The figures are of ICU admission; of states only agreement
    is told.
    """
    both = [one for one in found if one.score.champion_probability is not None]
    moved = Counter(
        f"{one.score.champion_answer} to {one.score.answer}"
        for one in both
        if one.score.answer != one.score.champion_answer
    )
    report: dict[str, Any] = {
        "scored": len(found),
        "compared": len(both),
        "agreement": 1 - moved.total() / len(both) if both else None,
        "changes": dict(sorted(moved.items())),
        "versions": sorted({one.score.champion_version for one in both}),
    }
    if both and both[0].score.task == "risk":
        report["difference"] = _differences(both)
        report["labelled"] = _labelled(both, as_of)
    return report


def _differences(both: Sequence[Compared]) -> dict[str, float]:
    """The challenger's probability less the one answered."""
    found = np.array([one.score.probability - (one.score.champion_probability or 0.0) for one in both])
    low, middle, high = np.percentile(found, (5, 50, 95))
    return {"mean": float(found.mean()), "p5": float(low), "median": float(middle), "p95": float(high)}


def _labelled(both: Sequence[Compared], as_of: datetime) -> dict[str, Any]:
    """Brier score and AUROC of both on visits whose outcome is known and not disputed."""
    known = [(one, outcome) for one in both if (outcome := _outcome(one, as_of)) is not None]
    counts = {"visits": len(known), "icu_admissions": sum(outcome for _, outcome in known)}
    if not known:
        return counts
    truth = np.array([outcome for _, outcome in known], dtype=np.bool_)
    champion = np.array([one.score.champion_probability for one, _ in known], dtype=np.float64)
    challenger = np.array([one.score.probability for one, _ in known], dtype=np.float64)
    names = [one.patient_key or one.score.prediction_id.hex for one, _ in known]
    patient = np.unique(names, return_inverse=True)[1].astype(np.int64)
    figures = {"brier": brier, "auroc": auroc}
    return counts | {name: _plain(paired(of, champion, challenger, truth, patient)) for name, of in figures.items()}


def _outcome(one: Compared, as_of: datetime) -> bool | None:
    """Whether the visit ended in intensive care, None where nobody said so or two who did differ."""
    said = {label.icu_admission for label in current_labels(one.labels, as_of)} - {None}
    return said.pop() if len(said) == 1 else None


def _plain(found: Paired) -> dict[str, float | None]:
    return {name: None if isnan(value) else round(value, 6) for name, value in found._asdict().items()}
