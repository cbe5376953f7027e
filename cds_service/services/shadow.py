"""Scoring challengers beside the models in force, after the answer has left: never a call's time, never a card."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic
from typing import NamedTuple

from cds_service import logs
from cds_service.domain.actor import Actor, counted_as
from cds_service.domain.policy import AssessmentPolicy
from cds_service.domain.prediction import Prediction
from cds_service.errors import Unavailable
from cds_service.inference.predictor import Predictor
from cds_service.inference.served import Model
from cds_service.monitoring.models import count_shadow
from cds_service.services.looking import Looking
from cds_service.services.seed_models import Submit
from cds_service.storage.shadow_log import ShadowScore, add_scores

# Chosen by us: some seconds of a full load; what does not fit is counted and left.
LIMIT = 2000
EVERY_S, BATCH = 0.25, 64
# An answer has left its thread a few milliseconds after its commit; chosen by us with room to spare.
AFTER_S = 0.1

log = logs.get_logger(__name__)


class _Waiting(NamedTuple):
    prediction: Prediction
    actor: Actor
    since: float


class Shadow:
    """A bounded queue of predictions, and the thread that scores them by the challengers of the moment."""

    def __init__(self, shadows: Callable[[], Mapping[str, Model]], policy: AssessmentPolicy, submit: Submit) -> None:
        self._shadows = shadows
        self._policy = policy
        self._submit = submit
        self._waiting: deque[_Waiting] = deque()
        self._looking = Looking(self.score_waiting, name="shadow", every_s=EVERY_S)

    def start(self) -> None:
        """Begin to score what is offered."""
        self._looking.start()

    def stop(self) -> None:
        """Score no more; what waits is left."""
        self._looking.stop()

    def offer(self, prediction: Prediction, actor: Actor) -> None:
        """Have it scored later, if there is a challenger and room."""
        if not self._shadows():
            return
        if len(self._waiting) >= LIMIT:
            count_shadow("dropped")
            return
        self._waiting.append(_Waiting(prediction, actor, monotonic()))

    def score_waiting(self) -> None:
        """Score and store what has waited long enough for its answer to have left."""
        while self._waiting and monotonic() - self._waiting[0].since >= AFTER_S:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            shadows = self._shadows()
            found = [self._scored(one, task, model) for one in batch for task, model in shadows.items()]
            scores = [score for score in found if score is not None]
            try:
                if scores:
                    self._submit(add_scores(scores))
            except Unavailable as error:
                log.warning("shadow_not_stored", reason=error.text, count=len(scores))
                count_shadow("dropped", len(scores))
            else:
                count_shadow("scored", len(scores))

    def _scored(self, one: _Waiting, task: str, model: Model) -> ShadowScore | None:
        """What the challenger makes of it; None where either model says nothing of such a patient, or it fails."""
        try:
            said = _answer(one.prediction, model, self._policy)
        except Unavailable:
            count_shadow("failed")
            return None
        if said is None:
            return None
        prediction, actor = one.prediction, one.actor
        version, before = (prediction.model_version, _risk(prediction)) if task == "risk" else _state(prediction)
        return ShadowScore(
            prediction_id=prediction.id,
            task=task,
            version=model.version,
            tenant=actor.tenant,
            environment=counted_as(actor.tenant, actor.environment),
            at=prediction.snapshot.at,
            answer=said[0],
            probability=said[1],
            champion_version=version,
            champion_answer=before[0],
            champion_probability=before[1],
        )


_Said = tuple[str, float]
_NOTHING: tuple[None, None] = (None, None)


def _answer(prediction: Prediction, model: Model, policy: AssessmentPolicy) -> _Said | None:
    """Band and probability of ICU admission, or the most probable state with its probability."""
    if isinstance(model, Predictor):
        risk = model.estimate(prediction.snapshot, policy)
        return None if isinstance(risk, str) else (risk.band, risk.probability)
    states = model.estimate(prediction.snapshot)
    return None if states is None else max(states.probabilities.items(), key=lambda one: one[1])


def _risk(prediction: Prediction) -> _Said | tuple[None, None]:
    return _NOTHING if prediction.risk is None else (prediction.risk.band, prediction.risk.probability)


def _state(prediction: Prediction) -> tuple[str, _Said | tuple[None, None]]:
    states = prediction.state_model
    if states is None:
        return "", _NOTHING
    return states.version, max(states.probabilities.items(), key=lambda one: one[1])
