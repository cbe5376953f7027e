"""SMART App Launch: from a patient's record in an EHR to the one prediction a card of theirs links to."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import cast

import msgspec
from flask import Flask, Response, current_app, request, session

from cds_service.domain.actor import Actor
from cds_service.errors import Forbidden, NotFound, Unauthorized
from cds_service.i18n import msgid
from cds_service.runtime import Runtime
from cds_service.services.launch import Launches, Proven, Secrets, authorize_address, secrets_of
from cds_service.services.read_prediction import uuid_from
from cds_service.settings.http_clients import HttpClient
from cds_service.settings.smart import SmartApp
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.prediction_log import read_prediction
from cds_service.storage.token_log import TokenUse
from cds_service.web.console.pages import console, link, page
from cds_service.web.console.sessions import session_event, sign_in_from
from cds_service.web.context import runtime, see_other
from cds_service.web.refusals import claim, record_refusal

# Chosen by us: time to sign in at the EHR where that is asked for, and no more.
LIFETIME = timedelta(minutes=5)
# Chosen by us: cards opened one after the other, before the first of them is there.
PENDING_LIMIT = 4
_LENGTH_LIMIT = 4096

_WHO = msgid("The record did not say soundly who opened this. Open the card again; if it stays so, sign in here.")
_EHR = msgid(
    "This service does not know the record you came from, or is not well registered there. Tell its operators."
)
_LATE = msgid("This was opened too long ago, in another browser, or is open already. Open the card again.")
# What a person reads of each reason; whoever looks after the service finds the reason itself in the audit log.
WORDS: Mapping[str, str] = {
    "launch-iss": _EHR,
    "launch-request": msgid("The record left out what belongs to this launch. Open the card again."),
    "launch-configuration": _EHR,
    "launch-state": _LATE,
    "launch-replay": _LATE,
    "launch-denied": msgid("The record did not let this service in for you. Ask there, or sign in here."),
    "launch-code": _LATE,
    "launch-answer": msgid("The record did not say whose patient this is, or who you are. Open the card again."),
    "launch-signature": _WHO,
    "launch-claims": _WHO,
    "launch-nonce": _WHO,
    "launch-user": msgid("Cards are for those who treat the patient. The record says you are somebody else."),
    "launch-prediction": msgid("The record did not say which card was opened, or there is no such card."),
    "launch-patient": msgid("The card is of another patient than the one who is open in the record: nothing is shown."),
}


def prepare_launches(app: Flask, process: Runtime) -> None:
    """Give the application what asks EHRs."""
    app.extensions["cds.launches"] = Launches(lambda: process.fhir)


@console.get("/launch")
def launch() -> Response:
    """On to the EHR that launches, which sends the browser back with a code; one of the clients file only."""
    process = runtime()
    try:
        client = process.clients.launched_from(request.args.get("iss", ""))
        if client is None or client.smart is None:
            raise Forbidden("launch-iss")
        claim(client=client.name, tenant=client.smart.tenant)
        context = request.args.get("launch", "")
        if not 0 < len(context) <= _LENGTH_LIMIT:
            raise Forbidden("launch-request")
        endpoints = _launches().endpoints(client.smart, client.fhir)
    except Forbidden as refused:
        return _refused(refused)
    begun = _begin(process, client)
    return see_other(authorize_address(client.smart, endpoints, context, begun, _redirect(process)))


@console.get("/redirect")
def come_back() -> Response:
    """The prediction the card names, if it is of the patient who is open in the record; else why not."""
    process = runtime()
    try:
        client, app, begun = _begun(process)
        code = request.args.get("code", "")
        if "error" in request.args or not 0 < len(code) <= _LENGTH_LIMIT:
            raise Forbidden("launch-denied")
        proven = _launches().proven(app, client.fhir, code, begun, redirect=_redirect(process), now=process.now())
        actor = client.user(proven.user)
        if actor is None:
            raise Forbidden("launch-iss")
        opened = _opened(process, actor, proven)
    except Forbidden as refused:
        return _refused(refused)
    _record(process, client, actor, opened)
    sign_in_from(client, actor, opened, process.now())
    return see_other(link("console.show_prediction", prediction_id=opened))


def _begin(process: Runtime, client: HttpClient) -> Secrets:
    """Note in this browser's session that a launch began; the newest few count."""
    state = secrets.token_urlsafe(32)
    pending = {**session.get("launches", {}), state: [client.name, process.now().timestamp()]}
    session["launches"] = dict(sorted(pending.items(), key=lambda one: one[1][1])[-PENDING_LIMIT:])
    return secrets_of(state, process.keyring.session_keys()[0])


def _begun(process: Runtime) -> tuple[HttpClient, SmartApp, Secrets]:
    """The launch that began in this browser with the state that came back; it is used up by that, everywhere."""
    state, now = request.args.get("state", ""), process.now()
    pending = dict(session.get("launches", {}))
    name, at = pending.pop(state, (None, 0.0))
    if name is None or not 0 <= now.timestamp() - at <= LIFETIME.total_seconds():
        raise Forbidden("launch-state")
    session["launches"] = pending
    client = process.clients.named(name)
    if client is None or client.smart is None:
        raise Forbidden("launch-iss")
    claim(client=client.name, tenant=client.smart.tenant)
    event = AuditEvent(
        at=now,
        tenant=client.smart.tenant,
        actor=client.name,
        action="launch",
        object_type="client",
        object_id=client.name,
    )
    # No second use is a retry: each has a hash of its own.
    use = TokenUse(issuer="launch", jti=state, request_hash=secrets.token_bytes(16), expires_at=now + LIFETIME)
    try:
        process.writer.submit_audit(event, token=use)
    except Unauthorized:
        raise Forbidden("launch-replay") from None
    return client, client.smart, secrets_of(state, process.keyring.session_keys()[0])


def _opened(process: Runtime, actor: Actor, proven: Proven) -> str:
    """The id of the card's prediction; Forbidden unless it is there and of the patient the record names."""
    claim(actor=actor.name, tenant=actor.tenant)
    try:
        row = read_prediction(process.engine, uuid_from(proven.context or ""), actor.tenant)
    except NotFound:
        row = None
    if row is None or row.environment != actor.environment:
        raise Forbidden("launch-prediction")
    claim(actor=actor.name, tenant=actor.tenant, prediction=str(row.id))
    if row.patient_key not in process.keyring.patient_keys(actor.tenant, proven.patient_id):
        raise Forbidden("launch-patient")
    return str(row.id)


def _record(process: Runtime, client: HttpClient, actor: Actor, opened: str) -> None:
    """Have it in the audit log before the page goes on: who, from which record, for which prediction."""
    detail = msgspec.json.encode({"client": client.name, "prediction": opened}).decode()
    process.writer.submit_audit(session_event("login", actor, process.now(), detail))


def _refused(refused: Forbidden) -> Response:
    record_refusal(refused.reason)
    return page("launch.html", status=403, said=WORDS[refused.reason])


def _launches() -> Launches:
    return cast(Launches, current_app.extensions["cds.launches"])


def _redirect(process: Runtime) -> str:
    return f"{process.settings.public_url}/redirect"
