"""Who calls: from the token a request shows to an actor, and the refusals on the way recorded."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

import msgspec
from flask import Request, request

from cds_service.cdshooks.client_token import Claims, RefusedToken, Unverified, read_unverified, verified_claims
from cds_service.domain.actor import Actor
from cds_service.errors import Unauthorized, Unavailable
from cds_service.monitoring.metrics import count_refusal
from cds_service.runtime import Runtime
from cds_service.settings.http_clients import HttpClient
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.token_log import TokenUse
from cds_service.web.context import keep_token_use

_SCHEME = "bearer "
_encode = msgspec.json.Encoder().encode


def client_of_request(process: Runtime) -> Actor:
    """The client whose token the request shows; Unauthorized, without a word of why, when it shows none that counts.

    The use of the token is left in the request: what the request stores, stores it too.
    """
    now = process.now()
    stated: Unverified | None = None
    try:
        token = _bearer(request)
        stated = read_unverified(token)
        client, claims = _checked(process, token, stated, now)
        actor = client.actor(claims.tenant)
        if actor is None:
            raise RefusedToken("tenant")
    except RefusedToken as refusal:
        _record(process, refusal.reason, stated, now)
        raise Unauthorized("authentication is required") from None
    use = TokenUse(
        issuer=claims.issuer, jti=claims.jti, request_hash=_request_hash(request), expires_at=claims.expires_at
    )
    keep_token_use(use)
    return actor


def _bearer(asked: Request) -> str:
    header = asked.headers.get("Authorization", "")
    if not header.lower().startswith(_SCHEME):
        raise RefusedToken("missing")
    return header[len(_SCHEME) :].strip()


def _checked(process: Runtime, token: str, stated: Unverified, now: datetime) -> tuple[HttpClient, Claims]:
    client = process.settings.clients.http.get(stated.issuer)
    if client is None:
        raise RefusedToken("iss")
    if stated.key_address is not None and stated.key_address != client.keys.address:
        raise RefusedToken("jku")
    key = process.keys.key(client.keys, stated.key_id)
    if key is None:
        raise RefusedToken("kid")
    audience = process.settings.public_url + request.path
    return client, verified_claims(token, stated, key, audience=audience, now=now)


def _request_hash(asked: Request) -> bytes:
    """Of address and body: a retry has the same, and nothing else does."""
    line = f"{asked.method} {asked.full_path}\n".encode()
    return sha256(line + asked.get_data()).digest()


def _record(process: Runtime, reason: str, stated: Unverified | None, at: datetime) -> None:
    """Count the refusal, and note it in the audit log while those of the last minute are few."""
    count_refusal(reason)
    if not process.refusals.take():
        return
    detail = {"reason": reason} | ({} if stated is None else {"iss": stated.issuer, "jti": stated.jti})
    event = AuditEvent(
        at=at,
        tenant="",
        actor="unknown",
        action="refuse",
        object_type="address",
        object_id=request.endpoint or "",
        detail=_encode(detail).decode(),
    )
    try:
        process.writer.submit_audit(event)
    except Unavailable:
        return  # the refusal stands, and is counted
