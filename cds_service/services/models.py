"""The models in service: what was decided about them is read again and again, and followed without a call noticing.

A version is loaded and verified beside the calls, then takes over by one assignment. A call takes `serving` once, so
each prediction is of one version. A version that cannot be used is refused, and the one before it goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import NamedTuple

from sqlalchemy import Engine

from cds_service import logs
from cds_service.domain.actor import Actor
from cds_service.domain.decision import TASKS, VersionId, standing
from cds_service.errors import ConfigurationError, NotFound, Unavailable
from cds_service.inference.artifact import first_version
from cds_service.inference.predictor import Predictor
from cds_service.inference.served import Model, load_model
from cds_service.inference.state_model import StatePredictor
from cds_service.monitoring.models import count_refused_model
from cds_service.services.assess import Estimator, StateEstimator, Withheld
from cds_service.services.looking import Looking
from cds_service.services.seed_models import Submit, seed_models
from cds_service.storage.decisions import count_decisions, read_decisions

# Chosen by us: a decision must be in force within two seconds, of which loading takes a tenth.
EVERY_S = 0.5
# A refused file may be put right: chosen by us, so that one that is not costs nothing.
AGAIN_S = 30.0

SEEDER = "service"

Loader = Callable[[Path, str, VersionId], Model]

log = logs.get_logger(__name__)


class Answering(NamedTuple):
    """The models that answer one call."""

    risk: Estimator
    state: StateEstimator | None


@dataclass(frozen=True, slots=True, eq=False)
class Serving:
    """The models that answer at one moment, and the challengers that are scored beside them, by task."""

    risk: Predictor
    state: StatePredictor | None = None
    shadows: Mapping[str, Model] = field(default_factory=dict)

    def model(self, task: str) -> Model | None:
        """The model of the task that answers."""
        return self.risk if task == "risk" else self.state

    @property
    def made_up(self) -> dict[str, str]:
        """The versions that answer and that made-up patients taught, by task."""
        models = {task: self.model(task) for task in TASKS}
        return {task: model.version for task, model in models.items() if model is not None and model.synthetic}

    def of_real_patients(self) -> Answering:
        """What is left to answer with where patients are real: made-up ones taught nothing about them."""
        risk = Withheld(self.risk.version) if self.risk.synthetic else self.risk
        return Answering(risk, None if self.state is None or self.state.synthetic else self.state)


class Refusal(NamedTuple):
    """A version that could not be used, why, and until when (monotonic) it is not tried again."""

    version: VersionId
    reason: str
    until: float


class Models:
    """The models as they were last decided. One thread changes them, any thread reads."""

    def __init__(self, models_dir: Path, engine: Engine, submit: Submit, *, load: Loader = load_model) -> None:
        self._models_dir = models_dir
        self._engine = engine
        self._submit = submit
        self._load = load
        self._serving: Serving | None = None
        self._decided = -1
        self._refused: dict[str, Refusal] = {}  # by task, and by "task shadow"
        self._withheld: dict[str, str] = {}  # by task the version that was logged
        self._recalled: tuple[str, Model] | None = None
        self._cards: frozenset[tuple[str, str]] = frozenset()
        self._following = Lock()
        self._looking = Looking(self._look, name="models", every_s=EVERY_S)

    def start(self) -> None:
        """Load what is in force; ConfigurationError when that cannot be used. A database that is away is waited for."""
        try:
            self.refresh()
        except Unavailable as error:
            log.warning("models_unavailable", reason=error.text)
        if self._serving is None and "risk" in self._refused:
            raise ConfigurationError(self._refused["risk"].reason, where="risk model")
        self._looking.start()

    def stop(self) -> None:
        """Follow no more."""
        self._looking.stop()

    @property
    def serving(self) -> Serving:
        """The models to answer one call with; Unavailable until it is known which they are."""
        if self._serving is None:
            raise Unavailable("it is not known yet which model is in force", where="model")
        return self._serving

    def answering(self, actor: Actor) -> Serving | Answering:
        """The models to answer this caller with; what is withheld from real patients is logged once a version."""
        serving = self.serving
        if not actor.has_real_patients or not (made_up := serving.made_up):
            return serving
        for task in made_up.keys() - self._withheld.keys():
            log.warning("model_withheld", task=task, model=made_up[task])
        self._withheld = made_up
        return serving.of_real_patients()

    def made_up(self) -> dict[str, str]:
        """The versions in force that say nothing of real patients, by task: made-up ones taught them."""
        return {} if self._serving is None else self._serving.made_up

    def challengers(self) -> Mapping[str, Model]:
        """The versions in shadow, by task."""
        return {} if self._serving is None else self._serving.shadows

    def versions(self) -> dict[str, str | None]:
        """The version that answers, by task; None where none does."""
        models = {task: self._held(task) for task in TASKS}
        return {task: None if model is None else model.version for task, model in models.items()}

    def refused(self) -> dict[str, str]:
        """The version that should be in force and was refused, by task."""
        return {task: refusal.version.version for task in TASKS if (refusal := self._refused.get(task)) is not None}

    def card(self, task: str, version: str) -> Path:
        """The model card of a version that is or was in force, or in shadow; NotFound of any other."""
        if (task, version) not in self._cards:
            raise NotFound("no such model is or was in service")
        return self._models_dir / task / version / "card.md"

    def recall(self, task: str, wanted: VersionId) -> Model:
        """The version with exactly these bytes: one that is held, else loaded; ConfigurationError as `load_model`.

        The last one that was loaded for this is kept: who looks at an old prediction looks at others of its time.
        """
        held = [self._held(task), self._shadow(task)]
        if self._recalled is not None and self._recalled[0] == task:
            held.append(self._recalled[1])
        for model in held:
            if model is not None and (model.version, model.digest) == wanted:
                return model
        self._recalled = task, self._load(self._models_dir, task, wanted)
        return self._recalled[1]

    def refresh(self) -> None:
        """Follow what was decided since the last look; Unavailable when the database is away: then nothing changes."""
        with self._following:
            self._follow()

    def _follow(self) -> None:
        decided = count_decisions(self._engine)
        if decided == 0:
            seed_models(self._submit, self._models_dir, actor=SEEDER, at=datetime.now(UTC))
            decided = count_decisions(self._engine)
        if decided == self._decided and not any(one.until <= monotonic() for one in self._refused.values()):
            return
        decisions = read_decisions(self._engine)
        found = {task: standing(decisions, task) for task in TASKS}
        risk, state = (self._wanted(task, found[task].in_force, self._held(task)) for task in TASKS)
        shadows = {
            task: model
            for task in TASKS
            if (model := self._wanted(f"{task} shadow", found[task].shadow, self._shadow(task))) is not None
        }
        if isinstance(risk, Predictor):
            self._serving = Serving(risk, state if isinstance(state, StatePredictor) else None, shadows)
        self._cards = frozenset((decision.task, decision.version) for decision in decisions)
        self._decided = decided

    def _wanted(self, slot: str, wanted: VersionId | None, held: Model | None) -> Model | None:
        """The model of the version: the one held already, or loaded now; the one held when it must be refused."""
        refusal = self._refused.get(slot)
        if refusal is not None and refusal.version == wanted and monotonic() < refusal.until:
            return held
        self._refused.pop(slot, None)
        if wanted is None or (held is not None and (held.version, held.digest) == wanted):
            return held if wanted else None
        task = slot.partition(" ")[0]
        try:
            model = self._load(self._models_dir, task, wanted)
        except (ConfigurationError, Unavailable) as problem:
            self._refused[slot] = Refusal(wanted, str(problem), monotonic() + AGAIN_S)
            count_refused_model(task)
            log.error("model_refused", task=task, model=wanted.version, reason=str(problem))
            return held
        log.info("model_loaded", task=task, model=wanted.version)
        return model

    def _held(self, task: str) -> Model | None:
        return None if self._serving is None else self._serving.model(task)

    def _shadow(self, task: str) -> Model | None:
        return None if self._serving is None else self._serving.shadows.get(task)

    def _look(self) -> None:
        try:
            self.refresh()
        except (Unavailable, ConfigurationError) as error:
            log.warning("models_unavailable", reason=str(error))


def load_models_in_force(models_dir: Path, engine: Engine) -> None:
    """Load each version in force; ConfigurationError for one that cannot be used.

    Where nothing is decided yet, or the database is away, they are those that `CURRENT` names.
    """
    try:
        decisions = read_decisions(engine)
    except Unavailable:
        decisions = []
    for task in TASKS:
        wanted = standing(decisions, task).in_force if decisions else first_version(models_dir, task)
        if wanted is not None:
            load_model(models_dir, task, wanted)
