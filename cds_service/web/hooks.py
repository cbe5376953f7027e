"""CDS Hooks: discovery, and a service call from its body to committed cards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from flask import Blueprint, Response

from cds_service.cdshooks.cards import cards_from_prediction, launching
from cds_service.cdshooks.catalogue import DIAGNOSIS_LABEL, RARE_DISEASE, SERVICES, VITALS_RISK, Service, discovery
from cds_service.cdshooks.prefetch import Prefetch, read_prefetch
from cds_service.cdshooks.rare_cards import MOST_CANDIDATES, rare_cards
from cds_service.cdshooks.schemas import Envelope, envelope
from cds_service.domain.actor import counted_as
from cds_service.domain.mode import Mode
from cds_service.domain.phenotype import Heard, RareAssessment
from cds_service.domain.prediction import Prediction
from cds_service.errors import NotFound
from cds_service.monitoring.metrics import count_card
from cds_service.services.log_prediction import Asked
from cds_service.stages import turn
from cds_service.web.access import authenticate
from cds_service.web.answering import (
    commit,
    findings_from_fhir,
    mode_of,
    predict_from,
    quiet_until,
    rank_from,
)
from cds_service.web.context import json_response, language, read_json, runtime
from cds_service.web.diagnoses import take_diagnoses
from cds_service.web.fetching import complete_prefetch, snapshot_with_stored
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
    turn()
    if service is DIAGNOSIS_LABEL:
        parsed = read_json()
        return take_diagnoses(service.id, envelope(parsed.document, service=service), parsed, actor)
    call, raw, sent, request_hash = _read_call(service)
    mode = mode_of(actor)
    turn()
    prefetch = complete_prefetch(service, call, sent, raw=raw, actor=actor)
    asked = Asked(
        actor=actor,
        service=service.id,
        language=language(actor),
        request_hash=request_hash,
        hook=call.hook,
        hook_instance=str(call.hook_instance),
        mode=mode,
    )
    concluded = _CONCLUDE[service.id](call, prefetch, asked)
    shown = concluded.cards if mode is Mode.LIVE else []
    if process.clients.launches(actor):
        shown = launching(shown, process.settings.public_url)
    stored = commit(concluded.prediction, asked, {"cards": shown}, shown=bool(shown), built_on=concluded.built_on)
    if shown and not stored.replayed:
        count_card(counted_as(actor.tenant, actor.environment), service.id, shown[0]["indicator"])
    return json_response(stored.reply)


class _Call(NamedTuple):
    """What was sent: the envelope, the prefetch as bytes and by state, and the hash of it all."""

    envelope: Envelope
    raw: dict[str, msgspec.Raw]
    prefetch: Prefetch
    request_hash: bytes


def _read_call(service: Service) -> _Call:
    """What was sent, without the document: its thousands of objects end here, where the next call's take their place.

    Kept until the answer they would be written to memory and fetched again, which costs as much as making them.
    """
    parsed = read_json()
    call = envelope(parsed.document, service=service)
    raw = _BODY.decode(parsed.canonical).prefetch or {}
    sent = read_prefetch(service, call.hook, parsed.document.get("prefetch") or {}, raw=raw)
    return _Call(call, raw, sent, content_hash(parsed))


class _Concluded(NamedTuple):
    """What was concluded, how it is shown, and which stored readings it rests on."""

    prediction: Prediction | RareAssessment
    cards: list[dict[str, Any]]
    built_on: tuple[tuple[UUID, int], ...] = ()


def _vitals_risk(call: Envelope, prefetch: Prefetch, asked: Asked) -> _Concluded:
    process = runtime()
    snapshot, built_on = snapshot_with_stored(call, prefetch, asked.actor)
    prediction = predict_from(snapshot, asked.actor)
    turn()
    cards = cards_from_prediction(
        prediction,
        language=asked.language,
        public_url=process.settings.public_url,
        notes=prefetch.notes,
        zone=process.settings.site.zone_info,
        quiet_until=quiet_until(prediction, asked),
    )
    return _Concluded(prediction, cards, built_on)


def _rare_disease(call: Envelope, prefetch: Prefetch, asked: Asked) -> _Concluded:
    process = runtime()
    snapshot, heard = findings_from_fhir(
        prefetch.parts,
        patient_id=call.patient_id,
        encounter_id=call.encounter_id,
        at=process.now(),
        server=call.fhir_server,
    )
    if not heard.findings:
        sent = process.beside.findings_sent.hear(snapshot, asked.actor, process.beside.rare.get().codes)
        heard = Heard(sent.findings, heard.unmapped + sent.unmapped, heard.remarks + sent.remarks)
    assessment = rank_from(snapshot, heard, MOST_CANDIDATES, actor=asked.actor)
    cards = rare_cards(
        assessment, language=asked.language, public_url=process.settings.public_url, notes=prefetch.notes
    )
    return _Concluded(assessment, cards)


_CONCLUDE: dict[str, Callable[[Envelope, Prefetch, Asked], _Concluded]] = {
    VITALS_RISK.id: _vitals_risk,
    RARE_DISEASE.id: _rare_disease,
}
