"""The steps every door shares: FHIR parts to a snapshot, and a prediction to its committed reply."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from flask import Response

from cds_service import logs
from cds_service.domain.actor import Actor, counted_as
from cds_service.domain.mode import Mode
from cds_service.domain.patient import PatientSnapshot
from cds_service.domain.phenotype import RareAssessment
from cds_service.domain.prediction import Prediction
from cds_service.fhir.conformance import require_valid
from cds_service.fhir.reader import Resources, read_resources, snapshot_from_resources
from cds_service.monitoring import metrics
from cds_service.services.assess import assess
from cds_service.services.log_prediction import Asked, entry_from_prediction
from cds_service.services.received import Received
from cds_service.services.review import note_sight
from cds_service.services.watch import Key
from cds_service.stages import turn
from cds_service.storage.prediction_log import StoredReply, new_prediction_id
from cds_service.web.context import json_response, runtime, token_use

log = logs.get_logger(__name__)
_encode = msgspec.json.Encoder().encode


def snapshot_from_fhir(
    parts: Sequence[Any],
    *,
    patient_id: str | None,
    encounter_id: str | None,
    at: datetime,
    listed: Collection[str] = (),
    server: str | None = None,
) -> PatientSnapshot:
    """The canonical record of FHIR resources or Bundles, read under this site's rules.

    `listed` names resource types that were asked for and came back as an empty list, `server` the sender's FHIR server.
    In strict mode every part must be valid FHIR first; InvalidResource lists what is not.
    """
    turn()
    return snapshot_of(resources_of(parts, listed, server), patient_id, encounter_id, at)


def resources_of(parts: Sequence[Any], listed: Collection[str], server: str | None) -> Resources:
    """The parts as resources; in strict mode InvalidResource for what is no valid FHIR."""
    if runtime().settings.fhir_validation == "strict":
        for part in parts:
            require_valid(bytes(part))
    return read_resources(parts, listed=listed, server=server)


def snapshot_of(
    resources: Resources, patient_id: str | None, encounter_id: str | None, at: datetime
) -> PatientSnapshot:
    """The canonical record of the resources, read under this site's rules."""
    process = runtime()
    return snapshot_from_resources(
        resources,
        patient_id=patient_id,
        encounter_id=encounter_id,
        at=at,
        policy=process.settings.site.reading,
        tables=process.tables,
    )


def predict_from(snapshot: PatientSnapshot, actor: Actor) -> Prediction:
    """The assessment of the caller's patient by the models in service under this site's rules."""
    process = runtime()
    return assess(
        snapshot,
        prediction_id=new_prediction_id(snapshot.at),
        models=process.models.answering(actor),
        policy=process.settings.site.assessment,
        site_hash=process.settings.site.hash,
    )


def mode_of(actor: Actor) -> Mode:
    """Whether what is assessed for this caller is shown: live or silent; Suspended where nothing is assessed."""
    return runtime().watch.mode(actor.tenant)


def quiet_until(prediction: Prediction, asked: Asked) -> datetime | None:
    """Until when the card of a patient who was already assessed stays quiet; None where it does not."""
    process, actor, patient = runtime(), asked.actor, prediction.snapshot.identity.patient_id

    def key() -> Key | None:
        found = process.keyring.patient_key(actor.tenant, patient) if patient else None
        return None if found is None else (actor.tenant, actor.environment, asked.service, found)

    snooze = process.watch.snooze(key)
    return snooze.end if snooze is not None and snooze.keeps_quiet(prediction) else None


def received(actor: Actor) -> Received:
    """The call at hand, for use cases that store what clinicians send back."""
    process = runtime()
    return Received(actor, process.now(), process.settings.site.feedback, process.keyring, token_use())


def committed(prediction: Prediction | RareAssessment, asked: Asked, document: object) -> Response:
    """The document, after prediction and reply are committed; for a silent tenant only that it is stored, as 202."""
    if asked.mode is Mode.LIVE:
        return json_response(commit(prediction, asked, document).reply)
    said = {"id": str(prediction.id), "mode": asked.mode.value}
    return json_response(commit(prediction, asked, said).reply, status=202)


def commit(
    prediction: Prediction | RareAssessment,
    asked: Asked,
    reply: object,
    *,
    shown: bool = True,
    built_on: tuple[tuple[UUID, int], ...] = (),
) -> StoredReply:
    """Store prediction and reply, then return the reply to send: the stored one when the call came before."""
    turn()
    entry = entry_from_prediction(
        prediction, asked, reply=_encode(reply), shown=shown, token=token_use(), built_on=built_on
    )
    turn()
    stored = runtime().writer.submit(entry)
    turn()
    if asked.actor.kind == "user" and asked.mode is Mode.LIVE:
        note_sight(stored.id, received(asked.actor), writer=runtime().writer)
    if not stored.replayed:
        metrics.count_prediction(prediction, counted_as(asked.actor.tenant, asked.actor.environment))
        if isinstance(prediction, Prediction):
            runtime().shadow.offer(prediction, asked.actor)
    log.info(
        "prediction_logged",
        prediction_id=str(stored.id),
        service=asked.service,
        model=prediction.model_version,
        shown=entry.shown,
        replayed=stored.replayed,
        not_used=[reading.reason for reading in prediction.snapshot.not_used],
    )
    return stored
