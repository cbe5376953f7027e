"""What an EHR says of a launch (SMART App Launch 2.2): where to send the browser, and what a code of its proves."""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b, sha256
from threading import BoundedSemaphore
from time import monotonic
from urllib.parse import quote, urlencode

from cds_service.cdshooks.id_token import Expected, fhir_user, key_id_of
from cds_service.cdshooks.jwks import RS256, keys_from_document
from cds_service.cdshooks.key_source import Key, UnusableKeys
from cds_service.errors import Forbidden, Unavailable
from cds_service.fhir.access import FetchFailed, FhirAccess, ServerRule
from cds_service.fhir.client import FhirClient
from cds_service.fhir.smart import Endpoints, Granted, endpoints_from_document, granted_from_document
from cds_service.settings.smart import SmartApp

# Chosen by us: of the calls that wait for FHIR servers half are left to hooks, however many launches come at once.
LAUNCHES_AT_ONCE = 2
# Chosen by us, as for the keys of clients: what an EHR publishes is asked for seldom, a key not known a little sooner.
DOCUMENT_AGE_S, RETRY_S = 300.0, 30.0

# Who may open a card from an EHR: those who treat patients, not patients and their relatives.
_CLINICIAN = re.compile(r"(?:Practitioner|PractitionerRole)/[A-Za-z0-9.\-]{1,64}")


@dataclass(frozen=True, slots=True)
class Secrets:
    """What one launch proves itself with, made of its `state` and a key of the service: stored nowhere."""

    state: str
    verifier: str
    nonce: str

    @property
    def challenge(self) -> str:
        """The verifier's hash, which the browser may see (RFC 7636, S256)."""
        return _base64(sha256(self.verifier.encode()).digest())


@dataclass(frozen=True, slots=True)
class Proven:
    """Who opened what, by the EHR's word: the user, the patient who is open there, and the card's own context."""

    user: str
    patient_id: str
    context: str | None


def secrets_of(state: str, key: bytes) -> Secrets:
    """The verifier and the nonce that belong to a state."""
    verifier, nonce = (
        _base64(blake2b(state.encode(), key=key, digest_size=32, person=use).digest()) for use in (b"pkce", b"nonce")
    )
    return Secrets(state, verifier, nonce)


def authorize_address(app: SmartApp, endpoints: Endpoints, launch: str, secrets: Secrets, redirect: str) -> str:
    """Where the browser asks the EHR for a code."""
    query = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": redirect,
        "launch": launch,
        "scope": app.scopes,
        "state": secrets.state,
        "aud": app.iss,
        "code_challenge": secrets.challenge,
        "code_challenge_method": "S256",
        "nonce": secrets.nonce,
    }
    return f"{endpoints.authorize}?{urlencode(query, quote_via=quote)}"


class Launches:
    """Asks EHRs, within the limits of every call to a FHIR server; keeps for a while what they publish."""

    def __init__(self, fhir: Callable[[], FhirClient], *, clock: Callable[[], float] = monotonic) -> None:
        self._fhir = fhir
        self._clock = clock
        self._asking = BoundedSemaphore(LAUNCHES_AT_ONCE)
        self._kept: dict[str, tuple[float, bytes]] = {}

    def endpoints(self, app: SmartApp, rule: ServerRule) -> Endpoints:
        """The EHR's endpoints: those of the clients file, else those it publishes."""
        if app.endpoints is not None:
            return app.endpoints
        address = f"{app.iss.removesuffix('/')}/.well-known/smart-configuration"
        body = self._document(address, rule, DOCUMENT_AGE_S)
        return endpoints_from_document(body, allow_loopback=rule.allow_loopback)

    def proven(
        self, app: SmartApp, rule: ServerRule, code: str, secrets: Secrets, *, redirect: str, now: datetime
    ) -> Proven:
        """What the EHR gives for the code; Forbidden says what is wrong with it, Unavailable that it gave nothing."""
        endpoints = self.endpoints(app, rule)
        granted = self._granted(app, FhirAccess(endpoints.token, None, rule), _form(app, code, secrets, redirect))
        key = self._key(endpoints.keys, key_id_of(granted.id_token), rule)
        expected = Expected(endpoints.issuer, app.client_id, secrets.nonce)
        user = fhir_user(granted.id_token, key, expected, now=now)
        return Proven(_clinician(user, app.iss), granted.patient, granted.app_context)

    def _granted(self, app: SmartApp, access: FhirAccess, form: dict[str, str]) -> Granted:
        access = replace(access, rule=replace(access.rule, bases=(access.base,)))
        authorization = _authorization(app)
        answer = self._asked(lambda fhir: fhir.send_form(access, form, authorization))
        if isinstance(answer, FetchFailed):
            if answer.reason in ("answered 400", "answered 401"):
                raise Forbidden("launch-code")
            raise Unavailable(f"the EHR: {answer.reason}", where="token")
        return granted_from_document(answer)

    def _key(self, address: str, key_id: str, rule: ServerRule) -> Key | None:
        for age in (DOCUMENT_AGE_S, RETRY_S):
            try:
                keys = keys_from_document(self._document(address, rule, age), rsa=RS256)
            except UnusableKeys as error:
                raise Unavailable(f"the EHR's keys: {error}", where="jwks_uri") from None
            if key_id in keys:
                return keys[key_id]
        return None

    def _document(self, address: str, rule: ServerRule, most_age_s: float) -> bytes:
        at, body = self._kept.get(address, (float("-inf"), b""))
        if self._clock() - at <= most_age_s:
            return body
        found = self._asked(lambda fhir: fhir.read_document(FhirAccess(address, None, rule)))
        if isinstance(found, FetchFailed):
            raise Unavailable(f"the EHR: {found.reason}", where=address.rpartition("/")[2])
        self._kept[address] = self._clock(), found
        return found

    def _asked(self, ask: Callable[[FhirClient], bytes | FetchFailed]) -> bytes | FetchFailed:
        if not self._asking.acquire(blocking=False):
            raise Unavailable("too many launches at once", where="launch", retry_after_s=1)
        try:
            return ask(self._fhir())
        finally:
            self._asking.release()


def _form(app: SmartApp, code: str, secrets: Secrets, redirect: str) -> dict[str, str]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect,
        "code_verifier": secrets.verifier,
    }
    return form if app.secret is not None else {**form, "client_id": app.client_id}


def _authorization(app: SmartApp) -> str | None:
    """The header of an app with a secret (RFC 6749, 2.3.1); None for a public one."""
    if app.secret is None:
        return None
    try:
        secret = app.secret.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"cannot be read: {type(error).__name__}", where="smart.secret") from None
    pair = f"{quote(app.client_id, safe='')}:{quote(secret, safe='')}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def _clinician(user: str, iss: str) -> str:
    """The user as labels name their authors, `Practitioner/id`; Forbidden for anybody else's resource."""
    named = user.removeprefix(f"{iss.removesuffix('/')}/")
    if not _CLINICIAN.fullmatch(named):
        raise Forbidden("launch-user")
    return named


def _base64(digest: bytes) -> str:
    return urlsafe_b64encode(digest).decode().rstrip("=")
