"""Who calls: from what a request shows to an actor.

Three things prove a caller: the token a client system signs for each call (CDS Hooks), a token made by
`cds tokens`, and a user's name and password (RFC 7617).
"""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime
from functools import partial
from hashlib import sha256

from flask import Request, request

from cds_service.cdshooks.client_token import ids_of_refused, read_unverified, verified_claims
from cds_service.domain.actor import Actor
from cds_service.errors import TooManyRequests, Unauthorized
from cds_service.runtime import Runtime
from cds_service.services.credentials import TOKEN_PREFIX, is_name, is_password, is_token, read_token_text
from cds_service.stages import apart
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.people import TokenRow, UserRow, read_token, read_user
from cds_service.storage.token_log import TokenUse
from cds_service.web.context import keep_token_use
from cds_service.web.refusals import claim, record_refusal


def actor_of_request(process: Runtime) -> Actor:
    """Whoever the request proves to come from; Unauthorized, without a word of why, when it proves nobody."""
    now = process.now()
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    shown = shown.strip()
    if scheme.lower() == "basic":
        return apart(partial(_user, process, shown, now))
    if scheme.lower() != "bearer" or not shown:
        raise Unauthorized("missing")
    if shown.startswith(TOKEN_PREFIX):
        return apart(partial(_token_holder, process, shown, now))
    return _client(process, shown, now)


def _client(process: Runtime, token: str, now: datetime) -> Actor:
    """The client system whose token this is; its use is left in the request, and stored with what that stores."""
    try:
        stated = read_unverified(token)
    except Unauthorized:
        claim(**ids_of_refused(token))
        raise
    claim(iss=stated.issuer, jti=stated.jti)
    client = process.clients.http.get(stated.issuer)
    if client is None:
        raise Unauthorized("iss")
    sources = client.keys_at(stated.key_address)
    if not sources:
        raise Unauthorized("jku")
    key = process.keys.find(sources, stated.key_id)
    if key is None:
        raise Unauthorized("kid")
    claims = verified_claims(token, stated, key, audience=process.settings.public_url + request.path, now=now)
    actor = client.actor(claims.tenant)
    if actor is None:
        raise Unauthorized("tenant")
    use = TokenUse(
        issuer=claims.issuer, jti=claims.jti, request_hash=_request_hash(request), expires_at=claims.expires_at
    )
    keep_token_use(use)
    return actor


def _token_holder(process: Runtime, text: str, now: datetime) -> Actor:
    """The system or the user this token was made for. A system's name tells it from every client and user."""
    parts = read_token_text(text)
    if parts is None:
        raise Unauthorized("api-token")
    claim(token=parts[0])
    stored = read_token(process.engine, parts[0])
    if stored is None or not is_token(stored, parts[1], now):
        raise Unauthorized("api-token")
    scopes = frozenset(stored.scopes.split())
    if stored.user_name is None:
        actor = _actor(stored, name=f"token:{stored.name}", kind="client", role="client", scopes=scopes)
    else:
        user = read_user(process.engine, stored.user_name)
        if user is None or user.disabled_at is not None:
            raise Unauthorized("user")
        actor = _actor(user, name=user.name, kind="user", role=user.role, scopes=scopes)
    _record_login(process, actor, now, credential=stored.id, shown=("token", stored.id))
    return actor


def _user(process: Runtime, shown: str, now: datetime) -> Actor:
    try:
        name, _, password = b64decode(shown, validate=True).decode().partition(":")
    except ValueError:
        raise Unauthorized("password") from None
    user = user_with_password(process, name, password)
    actor = _actor(user, name=user.name, kind="user", role=user.role, scopes=None)
    _record_login(process, actor, now, credential=user.password_hash, shown=("user", user.name))
    return actor


def user_with_password(process: Runtime, name: str, password: str) -> UserRow:
    """The user whose name and password these are. A name nobody can have is told so in no time; it is no secret."""
    if not is_name(name):
        raise Unauthorized("password")
    user = read_user(process.engine, name)
    if user is not None:
        claim(user=name)  # what is nobody's name may be somebody's password
    wait_s = process.logins.wait_s(name)
    if wait_s:
        record_refusal("backoff")
        raise TooManyRequests("too many failed attempts; wait", retry_after_s=wait_s)
    is_theirs = is_password(None if user is None else user.password_hash, password)
    if user is None or user.disabled_at is not None or not is_theirs:
        process.logins.note(name, succeeded=False)
        raise Unauthorized("password")
    process.logins.note(name, succeeded=True)
    return user


def _record_login(process: Runtime, actor: Actor, now: datetime, *, credential: str, shown: tuple[str, str]) -> None:
    """Have a login in the audit log before the call goes on; calls after it belong to it until it is over."""
    if process.known_logins.is_known(credential):
        return
    what, its_id = shown
    process.writer.submit_audit(
        AuditEvent(at=now, tenant=actor.tenant, actor=actor.name, action="login", object_type=what, object_id=its_id)
    )
    process.known_logins.note(credential)


def _actor(stored: UserRow | TokenRow, *, name: str, kind: str, role: str, scopes: frozenset[str] | None) -> Actor:
    return Actor(
        name=name,
        kind=kind,
        role=role,
        tenant=stored.tenant,
        environment=stored.environment,
        scopes=scopes,
    )


def _request_hash(asked: Request) -> bytes:
    """Of address and body: a retry has the same, and nothing else does."""
    line = f"{asked.method} {asked.full_path}\n".encode()
    return sha256(line + asked.get_data()).digest()
