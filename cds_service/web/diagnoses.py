"""The service `diagnosis-label`: what a clinician writes into the problem list becomes a label of the patient."""

from __future__ import annotations

import msgspec
from flask import Response

from cds_service import logs
from cds_service.cdshooks.catalogue import Service
from cds_service.cdshooks.envelope import envelope
from cds_service.domain.actor import Actor
from cds_service.fhir.conditions import read_stated_diagnoses
from cds_service.fhir.conformance import require_valid
from cds_service.services.record_diagnoses import DiagnosisCall, is_label, record_diagnoses
from cds_service.web.answering import received
from cds_service.web.context import json_response, read_json, runtime
from cds_service.web.labels import note_label
from cds_service.web.strict_json import content_hash

log = logs.get_logger(__name__)


class _Context(msgspec.Struct):
    conditions: msgspec.Raw


class _Body(msgspec.Struct):
    context: _Context


_BODY = msgspec.json.Decoder(_Body)
# Nothing is said to the clinician, who has just said it: CDS Hooks 2.0.1 wants an answer all the same.
_NO_CARDS = b'{"cards":[]}'


def take_diagnoses(service: Service, actor: Actor) -> Response:
    """No cards, after the labels are committed; InvalidResource for what is no Bundle of this patient's Conditions."""
    process = runtime()
    parsed = read_json()
    call = envelope(parsed.document, service=service)
    conditions = _BODY.decode(parsed.canonical).context.conditions
    if process.settings.fhir_validation == "strict":
        require_valid(bytes(conditions))
    stated = read_stated_diagnoses(
        conditions, patient_id=call.patient_id, tables=process.tables, server=call.fhir_server
    )
    asked = DiagnosisCall(
        service=service.id,
        hook_instance=str(call.hook_instance),
        request_hash=content_hash(parsed),
        reply=_NO_CARDS,
        author=call.user_id,
        patient_id=call.patient_id,
    )
    reply, new = record_diagnoses(stated, asked, received(actor), writer=process.writer)
    for label in new:
        note_label(label)
    log.info(
        "diagnoses_taken",
        service=service.id,
        count=len(new),
        not_used=[one.left_out or "condition-not-understood" for one in stated if not is_label(one)],
    )
    return json_response(reply)
