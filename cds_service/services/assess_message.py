"""The patients of an HL7 v2 message assessed: one prediction for each whose vital signs it brings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from cds_service import logs
from cds_service.domain.actor import Actor
from cds_service.domain.codes import CodeTables
from cds_service.domain.mode import Mode
from cds_service.domain.prediction import Prediction
from cds_service.domain.statements import Given
from cds_service.errors import CdsError, Unavailable
from cds_service.hl7.message import Message, Patient
from cds_service.hl7.reader import snapshot_from_message
from cds_service.services.assess import Models, assess
from cds_service.services.log_prediction import Asked, entry_from_prediction
from cds_service.settings import Site
from cds_service.stages import turn
from cds_service.storage.prediction_log import PredictionEntry, new_prediction_id

log = logs.get_logger(__name__)

SERVICE = "hl7"
# Where a message failed that the model could not take, as against a model that is away.
SCORING = "scoring"


class Assessed(NamedTuple):
    """What was concluded of one patient, and the row that keeps it."""

    prediction: Prediction
    entry: PredictionEntry


@dataclass(frozen=True, slots=True)
class Assessor:
    """The rules of the site, the models in service and the tenant's mode, which are asked for at each message."""

    site: Site
    tables: CodeTables
    models: Callable[[Actor], Models]
    mode: Callable[[str], Mode]

    def assess(
        self, message: Message, actor: Actor, *, message_id: UUID, raw: bytes, at: datetime
    ) -> tuple[Assessed, ...]:
        """A prediction and its row for each patient with vital signs; none of a message without any.

        The rows are keyed by message and patient, so that however often a message is scored there is one of each.
        Raises Unavailable when they cannot be scored now, whatever the reason: Suspended while the tenant is.
        """
        made: list[Assessed] = []
        mode = self.mode(actor.tenant) if any(map(brings_vitals, message.patients)) else Mode.LIVE
        for number, patient in enumerate(message.patients):
            if brings_vitals(patient):
                asked = Asked(
                    actor=actor,
                    service=SERVICE,
                    language=actor.language or "en",
                    request_hash=sha256(raw).digest(),
                    hook=f"{message.header.type}^{message.trigger}"[:64],
                    hook_instance=f"{message_id}:{number}",
                    mode=mode,
                )
                prediction = self._predict(message, number, actor, at)
                turn()
                entry = entry_from_prediction(prediction, asked, reply=b"null", shown=False)
                made.append(Assessed(prediction, entry))
        return tuple(made)

    def _predict(self, message: Message, number: int, actor: Actor, at: datetime) -> Prediction:
        turn()
        snapshot = snapshot_from_message(message, number, at=at, policy=self.site.reading, tables=self.tables)
        turn()
        try:
            return assess(
                snapshot,
                prediction_id=new_prediction_id(at),
                models=self.models(actor),
                policy=self.site.assessment,
                site_hash=self.site.hash,
            )
        except CdsError:
            raise
        except Exception as error:  # whatever a model does: the message is kept and scored later
            log.error("message_not_scored", exception=type(error).__name__, frames=logs.frames(error))
            raise Unavailable(f"failed ({type(error).__name__})", where=SCORING) from None


def brings_vitals(patient: Patient) -> bool:
    """Whether anything is said of a vital sign that is new: a value, or one that may be an alarm."""
    return any(isinstance(one.value, Given) or one.value.alarming for one in patient.observations)
