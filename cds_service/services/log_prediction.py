"""From a prediction and the reply it became to the one row that keeps both."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from cds_service.domain.actor import Actor
from cds_service.domain.mode import Mode
from cds_service.domain.phenotype import RareAssessment
from cds_service.domain.prediction import Prediction
from cds_service.services.stored import outcome_bytes, snapshot_bytes
from cds_service.storage.prediction_log import PredictionEntry
from cds_service.storage.token_log import TokenUse


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, by whom: the part of a prediction's row that the prediction itself does not know.

    `request_hash` is of the content without its authorization; `hook_instance` is what a repeat has in common with
    the first call, None where nothing is repeated. `mode` is the tenant's: what is concluded for a silent one is not
    shown.
    """

    actor: Actor
    service: str
    language: str
    request_hash: bytes
    hook: str = ""
    hook_instance: str | None = None
    mode: Mode = Mode.LIVE


def entry_from_prediction(
    prediction: Prediction | RareAssessment,
    asked: Asked,
    *,
    reply: bytes,
    shown: bool,
    token: TokenUse | None = None,
    built_on: tuple[tuple[UUID, int], ...] = (),
) -> PredictionEntry:
    """The values of the prediction's row; the writer adds patient key, identity and audit.

    `built_on` are the stored readings it rests on: message and number.
    """
    return PredictionEntry(
        id=prediction.id,
        service=asked.service,
        tenant=asked.actor.tenant,
        environment=asked.actor.environment,
        actor=asked.actor.name,
        hook=asked.hook,
        hook_instance=asked.hook_instance,
        request_hash=asked.request_hash,
        reply=reply,
        patient=prediction.snapshot.identity,
        model_version=prediction.model_version,
        site_hash=prediction.site_hash,
        created_at=prediction.snapshot.at,
        language=asked.language,
        shown=shown and asked.mode is Mode.LIVE,
        snapshot=snapshot_bytes(prediction.snapshot),
        outcome=outcome_bytes(prediction),
        token=token,
        built_on=built_on,
    )
