"""A stored prediction made again from what is stored of it, by its own versions: the same number, or what differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cds_service.domain.decision import Decision, VersionId
from cds_service.domain.patient import Identity
from cds_service.domain.policy import AssessmentPolicy
from cds_service.domain.prediction import Prediction
from cds_service.errors import Conflict
from cds_service.inference.artifact import published
from cds_service.inference.predictor import Predictor
from cds_service.inference.served import Model
from cds_service.inference.state_model import StatePredictor
from cds_service.services.assess import TAUGHT_BY_MADE_UP, assess
from cds_service.services.models import Serving
from cds_service.services.stored import Outcome, outcome_bytes, outcome_from_bytes, prediction_from_bytes
from cds_service.storage.prediction_log import PredictionRow

_NOBODY = Identity(patient_id="")


@dataclass(frozen=True, slots=True)
class Rescored:
    """The prediction as it was stored and as it comes out now; `differing` names the parts that are not bit-equal."""

    stored: Prediction
    again: Prediction
    differing: tuple[str, ...]


def rescore(
    row: PredictionRow,
    decisions: Sequence[Decision],
    *,
    models_dir: Path,
    load: Callable[[str, VersionId], Model],
    policy: AssessmentPolicy,
) -> Rescored:
    """The prediction scored again; Conflict for a ranking of rare diseases, ConfigurationError without its version."""
    stored = prediction_from_bytes(
        row.snapshot,
        row.outcome,
        prediction_id=row.id,
        model_version=row.model_version,
        site_hash=row.site_hash,
        identity=_NOBODY,
    )
    if not isinstance(stored, Prediction):
        raise Conflict("ranks rare diseases: only predictions of risk are scored again", where=str(row.id))

    def own(task: str, version: str) -> object:
        return load(task, _approved(decisions, models_dir, task, version))

    risk = own("risk", row.model_version)
    state = None if stored.state_model is None else own("state", stored.state_model.version)
    assert isinstance(risk, Predictor)  # noqa: S101 -- what `load_model` gives for this task
    serving = Serving(risk, state if isinstance(state, StatePredictor) else None)
    models = serving.of_real_patients() if stored.risk_omitted == TAUGHT_BY_MADE_UP else serving
    again = assess(stored.snapshot, prediction_id=row.id, models=models, policy=policy, site_hash=row.site_hash)
    return Rescored(
        stored, again, _differing(outcome_from_bytes(row.outcome), outcome_from_bytes(outcome_bytes(again)))
    )


def _approved(decisions: Sequence[Decision], models_dir: Path, task: str, version: str) -> VersionId:
    """The artifact that was approved under this name; the published one where no decision speaks of it."""
    known = [one.subject for one in decisions if (one.task, one.version) == (task, version)]
    return known[-1] if known else published(models_dir, task, version)


def _differing(stored: Outcome | None, again: Outcome | None) -> tuple[str, ...]:
    names = Outcome.__struct_fields__
    return tuple(name for name in names if _bytes(getattr(stored, name)) != _bytes(getattr(again, name)))


def _bytes(part: object) -> bytes:
    return msgspec.json.encode(part)
