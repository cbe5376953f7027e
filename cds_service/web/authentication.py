"""Who calls: from what a request shows to an actor, and the refusals on the way recorded.

Three things prove a caller: the token a client system signs for each call (CDS Hooks), a token made by
`cds tokens`, and a user's name and password (RFC 7617).
"""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime
from hashlib import sha256

import msgspec
from flask import Request, request

from cds_service.cdshooks.client_token import RefusedToken, Unverified, read_unverified, verified_claims
from cds_service.domain.actor import Actor
from cds_service.errors import Forbidden, TooManyRequests, Unauthorized, Unavailable
from cds_service.monitoring.metrics import count_refusal
from cds_service.runtime import Runtime
from cds_service.services.credentials import TOKEN_PREFIX, is_password, is_token, read_token_text
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.people import TokenRow, UserRow, read_token, read_user
from cds_service.storage.token_log import TokenUse
from cds_service.web.context import keep_token_use

_encode = msgspec.json.Encoder().encode


def actor_of_request(process: Runtime) -> Actor:
    """Whoever the request proves to come from; Unauthorized, without a word of why, when it proves nobody."""
    now = process.now()
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    shown = shown.strip()
    try:
        if scheme.lower() == "basic":
            return _user(process, shown, now)
        if scheme.lower() != "bearer" or not shown:
            raise RefusedToken("missing")
        if shown.startswith(TOKEN_PREFIX):
            return _token_holder(process, shown, now)
        return _client(process, shown, now)
    except RefusedToken as refusal:
        _record(process, refusal.reason, {}, now)
        raise Unauthorized("authentication is required") from None


def forbid(process: Runtime, actor: Actor, reason: str) -> Forbidden:
    """The refusal of a known caller, recorded."""
    _record(process, reason, {"actor": actor.name, "tenant": actor.tenant}, process.now())
    return Forbidden("this caller may not do this")


def _client(process: Runtime, token: str, now: datetime) -> Actor:
    """The client system whose token this is; its use is left in the request, and stored with what that stores."""
    stated = read_unverified(token)
    try:
        return _checked_client(process, token, stated, now)
    except RefusedToken as refusal:
        _record(process, refusal.reason, {"iss": stated.issuer, "jti": stated.jti}, now)
        raise Unauthorized("authentication is required") from None


def _checked_client(process: Runtime, token: str, stated: Unverified, now: datetime) -> Actor:
    client = process.settings.clients.http.get(stated.issuer)
    if client is None:
        raise RefusedToken("iss")
    if stated.key_address is not None and stated.key_address != client.keys.address:
        raise RefusedToken("jku")
    key = process.keys.key(client.keys, stated.key_id)
    if key is None:
        raise RefusedToken("kid")
    claims = verified_claims(token, stated, key, audience=process.settings.public_url + request.path, now=now)
    actor = client.actor(claims.tenant)
    if actor is None:
        raise RefusedToken("tenant")
    use = TokenUse(
        issuer=claims.issuer, jti=claims.jti, request_hash=_request_hash(request), expires_at=claims.expires_at
    )
    keep_token_use(use)
    return actor


def _token_holder(process: Runtime, text: str, now: datetime) -> Actor:
    """The system or the user this token was made for."""
    parts = read_token_text(text)
    if parts is None:
        raise RefusedToken("api-token")
    stored = read_token(process.engine, parts[0])
    if stored is None or not is_token(stored, parts[1], now):
        raise RefusedToken("api-token")
    scopes = frozenset(stored.scopes.split())
    if stored.user_name is None:
        return _actor(stored, kind="client", role="client", scopes=scopes)
    user = read_user(process.engine, stored.user_name)
    if user is None or user.disabled_at is not None:
        raise RefusedToken("user")
    return _actor(user, kind="user", role=user.role, scopes=scopes)


def _user(process: Runtime, shown: str, now: datetime) -> Actor:
    """The user whose name and password these are."""
    try:
        name, _, password = b64decode(shown, validate=True).decode().partition(":")
    except ValueError:
        raise RefusedToken("password") from None
    wait_s = process.logins.wait_s(name)
    if wait_s:
        _record(process, "backoff", {"user": _known_name(name)}, now)
        raise TooManyRequests("too many failed attempts; wait", retry_after_s=wait_s)
    user = read_user(process.engine, name) if _known_name(name) else None
    may_log_in = user is not None and user.disabled_at is None
    is_theirs = is_password(user.password_hash if user is not None else None, password)
    process.logins.note(name, succeeded=may_log_in and is_theirs)
    if user is None or not may_log_in or not is_theirs:
        raise RefusedToken("password")
    return _actor(user, kind="user", role=user.role, scopes=None)


def _actor(stored: UserRow | TokenRow, *, kind: str, role: str, scopes: frozenset[str] | None) -> Actor:
    return Actor(
        name=stored.name,
        kind=kind,
        role=role,
        tenant=stored.tenant,
        environment=stored.environment,
        scopes=scopes,
    )


def _known_name(name: str) -> str:
    """The name if it could be one of ours; what people type into a name's field may be their password."""
    return name if 0 < len(name) <= 64 and name.isprintable() and " " not in name else ""


def _request_hash(asked: Request) -> bytes:
    """Of address and body: a retry has the same, and nothing else does."""
    line = f"{asked.method} {asked.full_path}\n".encode()
    return sha256(line + asked.get_data()).digest()


def _record(process: Runtime, reason: str, known: dict[str, str], at: datetime) -> None:
    """Count the refusal, and note it in the audit log while those of the last minute are few."""
    count_refusal(reason)
    if not process.refusals.take():
        return
    detail = {"reason": reason} | {name: known[name] for name in ("iss", "jti", "user") if name in known}
    event = AuditEvent(
        at=at,
        tenant=known.get("tenant", ""),
        actor=known.get("actor", "unknown"),
        action="refuse",
        object_type="address",
        object_id=request.endpoint or "",
        detail=_encode(detail).decode(),
    )
    try:
        process.writer.submit_audit(event)
    except Unavailable:
        return  # the refusal stands, and is counted
