"""Who sits at the browser: a signed cookie that ends by itself, and a secret of the session in every form.

The cookie holds a name and times, no patient. It is worth nothing once its session was signed out of, or the person's
password or account has changed.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest

from flask import Flask, Request, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from cds_service.domain.actor import LAUNCHED, Actor
from cds_service.errors import CdsError, Forbidden
from cds_service.runtime import Runtime
from cds_service.settings.http_clients import HttpClient
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.ended_sessions import end_session, is_ended
from cds_service.storage.people import UserRow, read_user
from cds_service.web.context import keep_caller
from cds_service.web.lean_flask import NoSessions

# Chosen by us: a tablet left on a ward is signed out before the next shift finds it, a form of many fields is not.
IDLE = timedelta(minutes=15)
# NIST SP 800-63B-4, 2.2.3: at AAL2 a session is proven anew after 24 hours at most; a shift is 12.
LONGEST = timedelta(hours=12)

_PAGES = ("/login", "/logout", "/triage", "/console/", "/review", "/dashboard", "/models", "/launch", "/redirect")
_TOKEN = "form_token"  # noqa: S105 -- the name of a field


class SignedOut(CdsError):
    """Nobody is signed in, or no longer; the page asks who is there."""

    status = 401
    issue = "login"


class PageSessions(NoSessions, SecureCookieSessionInterface):
    """Reads and writes the cookie for pages only: calls of programs have none, and are not slowed by one."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The session of a page's browser; None for every other address, which keeps none."""
        path = request.environ["PATH_INFO"]
        is_page = path == "/" or path.startswith(_PAGES)
        return SecureCookieSessionInterface.open_session(self, app, request) if is_page else None


def prepare_cookie(app: Flask, process: Runtime) -> None:
    """Sign the cookie with keys of the service's secret, and send it only to ourselves."""
    key, *before = process.keyring.session_keys()
    is_tls = process.settings.public_url.startswith("https:")
    app.session_interface = PageSessions()
    app.secret_key = key
    app.config.update(
        SECRET_KEY_FALLBACKS=before,
        SESSION_COOKIE_NAME="__Host-cds" if is_tls else "cds",
        SESSION_COOKIE_SECURE=is_tls,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",  # a card's link is followed from the EHR's own site
        SESSION_COOKIE_PATH="/",
    )


def sign_in(user: UserRow, now: datetime) -> None:
    """Begin a session; nothing of one before is left in it but the language."""
    _empty()
    at = now.timestamp()
    session.update(id=secrets.token_urlsafe(16), name=user.name, proof=_proof(user), since=at, seen=at)
    form_token()


def sign_in_from(client: HttpClient, actor: Actor, prediction_id: str, now: datetime) -> None:
    """Begin a session of whoever opened this one prediction from the client's record."""
    _empty()
    at = now.timestamp()
    session.update(id=secrets.token_urlsafe(16), name=actor.name, proof=_proof_of(client), since=at, seen=at)
    session.update(client=client.name, prediction=prediction_id)
    form_token()


def opened_prediction() -> str | None:
    """The one prediction a session from an EHR's record is for; None for a person who signed in by themselves."""
    return session.get("prediction")


def session_event(action: str, person: UserRow | Actor, at: datetime, detail: str = "{}") -> AuditEvent:
    """What the audit log keeps of a session's begin and end."""
    return AuditEvent(
        at=at,
        tenant=person.tenant,
        actor=person.name,
        action=action,
        object_type="user",
        object_id=person.name,
        detail=detail,
    )


def sign_out(process: Runtime) -> None:
    """End the session, in this browser and wherever its cookie was copied to."""
    now, actor, session_id = process.now(), _whose(process), session.get("id")
    _empty()
    if actor is None or session_id is None:
        return
    event = session_event("logout", actor, now)
    process.writer.submit_change(end_session(session_id, until=now + LONGEST, event=event))


def signed_in(process: Runtime) -> Actor:
    """The person at the browser; SignedOut when there is none, or the session is over."""
    if process.settings.client_auth == "off":
        local = process.settings.clients.local
        person = Actor("local", "user", "clinician", local.tenant, local.environment, local.language)
        keep_caller(person)
        return person
    now, actor = process.now(), _whose(process)
    if actor is None:
        raise SignedOut("sign in")
    if is_ended(process.engine, session["id"]):
        raise SignedOut("signed out")
    idle, total = (now.timestamp() - float(session[name]) for name in ("seen", "since"))
    if idle > IDLE.total_seconds() or total > LONGEST.total_seconds():
        _empty()
        raise SignedOut("the session is over")
    session["seen"] = now.timestamp()
    keep_caller(actor)
    if actor.scopes == LAUNCHED and (request.view_args or {}).get("prediction_id") != opened_prediction():
        raise Forbidden("role")
    return actor


def _empty() -> None:
    """Leave nothing of who was there; whoever is next reads the language that was chosen."""
    language = session.get("language")
    session.clear()
    if language is not None:
        session["language"] = language


def _whose(process: Runtime) -> Actor | None:
    """Whose the cookie is, as long as password, account and registration are what they were."""
    if "id" not in session:
        return None
    if "client" in session:
        client = process.clients.named(session["client"])
        if client is None:
            return None
        actor, proof = client.user(session["name"]), _proof_of(client)
    else:
        user = read_user(process.engine, session["name"])
        if user is None or user.disabled_at is not None:
            return None
        actor, proof = Actor(user.name, "user", user.role, user.tenant, user.environment), _proof(user)
    return actor if compare_digest(proof, str(session.get("proof"))) else None


def form_token() -> str:
    """The session's own secret, for a hidden field of each form."""
    if _TOKEN not in session:
        session[_TOKEN] = secrets.token_urlsafe(24)
    return str(session[_TOKEN])


def require_own_form() -> None:
    """Forbidden unless the form came from a page of this session."""
    if not compare_digest(form_token(), request.form.get(_TOKEN, "")):
        raise Forbidden("form")


def _proof(user: UserRow) -> str:
    """What changes with the password, and tells nothing of it."""
    return sha256(f"{user.name}\n{user.password_hash}".encode()).hexdigest()[:32]


def _proof_of(client: HttpClient) -> str:
    """What changes with the client's registration as an EHR whose users may open cards."""
    return sha256(f"{client.name}\n{client.environment}\n{client.smart}".encode()).hexdigest()[:32]
