"""CDS Hooks: discovery, and a service call from its body to committed cards."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import msgspec
from flask import Blueprint, Response

from cds_service.cdshooks.cards import cards_from_prediction, launching
from cds_service.cdshooks.catalogue import SERVICES, VITALS_RISK, Service, discovery
from cds_service.cdshooks.envelope import Envelope, envelope
from cds_service.cdshooks.prefetch import Prefetch, read_prefetch
from cds_service.domain.actor import Actor, counted_as
from cds_service.domain.mode import Mode
from cds_service.domain.phenotype import RareAssessment
from cds_service.domain.prediction import Prediction
from cds_service.errors import NotFound
from cds_service.monitoring.metrics import count_card
from cds_service.services.log_prediction import Asked
from cds_service.stages import turn
from cds_service.web.access import authenticate
from cds_service.web.answering import (
    commit,
    mode_of,
    predict_from,
    quiet_until,
)
from cds_service.web.context import json_response, language, read_json, runtime
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
    """The service's answer to one call (CDS Hooks 2.0.1, Calling a CDS Service)."""
    actor = authenticate(runtime())
    service = SERVICES.get(service_id)
    if service is None:
        raise NotFound("no such service: see GET /cds-services")
    turn()
    return ANSWERS[service.id](service, actor)


def answer_with_cards(conclude: Conclude, service: Service, actor: Actor) -> Response:
    """Cards for one call, after prediction, inputs and reply are committed; a repeat gets the stored reply."""
    process = runtime()
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
    concluded = conclude(call, prefetch, asked)
    shown = concluded.cards if mode is Mode.LIVE else []
    if process.clients.launches(actor):
        shown = launching(shown, process.settings.public_url)
    stored = commit(concluded.prediction, asked, {"cards": shown}, shown=bool(shown), built_on=concluded.built_on)
    if shown and not stored.replayed:
        count_card(counted_as(actor.tenant, actor.environment), service.id, shown[0]["indicator"])
    turn()
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


class Concluded(NamedTuple):
    """What was concluded, how it is shown, and which stored readings it rests on."""

    prediction: Prediction | RareAssessment
    cards: list[dict[str, Any]]
    built_on: tuple[tuple[UUID, int], ...] = ()


Answer: TypeAlias = Callable[[Service, Actor], Response]
Conclude: TypeAlias = Callable[[Envelope, Prefetch, Asked], Concluded]


def _vitals_risk(call: Envelope, prefetch: Prefetch, asked: Asked) -> Concluded:
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
    return Concluded(prediction, cards, built_on)


# How each service answers. Those that no opened chart waits for are loaded later and added by `app.py`.
ANSWERS: dict[str, Answer] = {VITALS_RISK.id: partial(answer_with_cards, _vitals_risk)}
