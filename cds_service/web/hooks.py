"""CDS Hooks: discovery, and a service call from its body to committed cards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from flask import Blueprint, Response

from cds_service.cdshooks.cards import cards_from_prediction
from cds_service.cdshooks.catalogue import DIAGNOSIS_LABEL, RARE_DISEASE, SERVICES, VITALS_RISK, discovery
from cds_service.cdshooks.prefetch import Prefetch, read_prefetch
from cds_service.cdshooks.rare_cards import MOST_CANDIDATES, rare_cards
from cds_service.cdshooks.schemas import Envelope, envelope
from cds_service.domain.mode import Mode
from cds_service.domain.phenotype import RareAssessment
from cds_service.domain.prediction import Prediction
from cds_service.errors import NotFound
from cds_service.monitoring.metrics import count_card
from cds_service.services.log_prediction import Asked
from cds_service.web.access import authenticate
from cds_service.web.answering import (
    commit,
    findings_from_fhir,
    mode_of,
    predict_from,
    quiet_until,
    rank_from,
    snapshot_from_fhir,
)
from cds_service.web.context import json_response, language, read_json, runtime
from cds_service.web.diagnoses import take_diagnoses
from cds_service.web.fetching import complete_prefetch
from cds_service.web.strict_json import content_hash

hooks = Blueprint("hooks", __name__)


class _Body(msgspec.Struct):
    """The one member that is read again from its bytes, by typed readers."""

    prefetch: dict[str, msgspec.Raw] | None = None


_BODY = msgspec.json.Decoder(_Body)


@hooks.get("/cds-services")
def list_services() -> Response:
    """The services offered and the hooks they answer (CDS Hooks 2.0.1, Discovery)."""
    return json_response(discovery(language()))


@hooks.post("/cds-services/<service_id>")
def call_service(service_id: str) -> Response:
    """Cards for one call, after prediction, inputs and reply are committed; a repeat gets the stored reply."""
    process = runtime()
    actor = authenticate(process)
    service = SERVICES.get(service_id)
    if service is None:
        raise NotFound("no such service: see GET /cds-services")
    parsed = read_json()
    call = envelope(parsed.document, service=service)
    if service is DIAGNOSIS_LABEL:
        return take_diagnoses(service.id, call, parsed, actor)
    mode = mode_of(actor)
    raw = _BODY.decode(parsed.canonical).prefetch or {}
    sent = read_prefetch(service, call.hook, call.prefetch, raw=raw)
    prefetch = complete_prefetch(service, call, sent, raw=raw, actor=actor)
    asked = Asked(
        actor=actor,
        service=service.id,
        language=language(actor),
        request_hash=content_hash(parsed),
        hook=call.hook,
        hook_instance=str(call.hook_instance),
        mode=mode,
    )
    prediction, cards = _CONCLUDE[service.id](call, prefetch, asked)
    shown = cards if mode is Mode.LIVE else []
    stored = commit(prediction, asked, {"cards": shown}, shown=bool(shown))
    if shown and not stored.replayed:
        count_card(actor.environment, service.id, shown[0]["indicator"])
    return json_response(stored.reply)


def _vitals_risk(call: Envelope, prefetch: Prefetch, asked: Asked) -> tuple[Prediction, Cards]:
    process = runtime()
    snapshot = snapshot_from_fhir(
        prefetch.parts,
        patient_id=call.patient_id,
        encounter_id=call.encounter_id,
        at=process.now(),
        listed=prefetch.empty_types,
        server=call.fhir_server,
    )
    prediction = predict_from(snapshot)
    return prediction, cards_from_prediction(
        prediction,
        language=asked.language,
        public_url=process.settings.public_url,
        notes=prefetch.notes,
        zone=process.settings.site.zone_info,
        quiet_until=quiet_until(prediction, asked),
    )


def _rare_disease(call: Envelope, prefetch: Prefetch, asked: Asked) -> tuple[RareAssessment, Cards]:
    process = runtime()
    snapshot, heard = findings_from_fhir(
        prefetch.parts,
        patient_id=call.patient_id,
        encounter_id=call.encounter_id,
        at=process.now(),
        server=call.fhir_server,
    )
    assessment = rank_from(snapshot, heard, MOST_CANDIDATES)
    return assessment, rare_cards(
        assessment, language=asked.language, public_url=process.settings.public_url, notes=prefetch.notes
    )


Cards = list[dict[str, Any]]
_CONCLUDE: dict[str, Callable[[Envelope, Prefetch, Asked], tuple[Prediction | RareAssessment, Cards]]] = {
    VITALS_RISK.id: _vitals_risk,
    RARE_DISEASE.id: _rare_disease,
}
