"""The JSON Web Token a CDS client shows (CDS Hooks 2.0.1, "Trusting CDS Clients"; RFC 7519, RFC 8725).

Nothing in a token is believed before its signature was checked with a key registered for its issuer; what is read
before only says which key that is.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

import msgspec

from cds_service.cdshooks.key_source import Key
from cds_service.errors import Unauthorized

# CDS clients round `iat` up to a whole second and clocks differ; 30 s refused none of the public sandbox's tokens.
LEEWAY = timedelta(seconds=30)
# Chosen by us: Epic documents tokens of fifteen minutes ("Trusting CDS Clients", fhir.epic.com), and rounding must not
# refuse them.
LIFETIME_MAX = timedelta(minutes=20)
LENGTH_MAX = 8192

_REQUIRED = ["iss", "aud", "exp", "iat", "jti"]
# What would let a token bring its own key, or change how it is read (RFC 7515, 4.1).
_FORBIDDEN = frozenset({"jwk", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64", "zip", "enc"})
_NAME_LIMIT = 256
_JTI_LIMIT = 128


@dataclass(frozen=True, slots=True)
class Unverified:
    """What a token says of itself: whom to ask for the key. Believed by nobody."""

    issuer: str
    key_id: str
    algorithm: str
    key_address: str | None
    jti: str


@dataclass(frozen=True, slots=True)
class Claims:
    """What a checked token proves."""

    issuer: str
    jti: str
    tenant: str | None
    expires_at: datetime


def read_unverified(token: str) -> Unverified:
    """The parts that choose the key; Unauthorized for what is no token of ours.

    Read without PyJWT, which takes ten times as long to give what is believed only after it read the token itself.
    """
    parts = token.split(".", 3)
    if len(token) > LENGTH_MAX or len(parts) != 3:
        raise Unauthorized("shape")
    header, payload = _object(parts[0]), _object(parts[1])
    if header.get("alg") not in ("ES384", "RS384"):
        raise Unauthorized("algorithm")
    if _FORBIDDEN & header.keys() or header.get("typ", "JWT") != "JWT":
        raise Unauthorized("header")
    address = header.get("jku")
    if not isinstance(address, str | None):
        raise Unauthorized("header")
    return Unverified(
        issuer=_text(payload.get("iss"), "iss", _NAME_LIMIT),
        key_id=_text(header.get("kid"), "kid", _NAME_LIMIT),
        algorithm=header["alg"],
        key_address=address,
        jti=_text(payload.get("jti"), "jti", _JTI_LIMIT),
    )


def ids_of_refused(token: str) -> dict[str, str]:
    """What a token that was refused unread says of itself, for the audit log: `iss` and `jti` where readable."""
    limits = {"iss": _NAME_LIMIT, "jti": _JTI_LIMIT}
    found: dict[str, str] = {}
    try:
        payload = _object(token[:LENGTH_MAX].split(".", 2)[1])
        for name, limit in limits.items():
            found[name] = _text(payload.get(name), name, limit)
    except (Unauthorized, IndexError):
        return found
    return found


def signed_payload(token: str, key: Key, *, issuer: str, audience: str, required: list[str]) -> Mapping[str, Any]:
    """The claims of a token this key signed for this audience; PyJWTError or ValueError otherwise.

    Its times are for the caller to check, by the clock of the request: a value no clock can have must not be forgiven.
    """
    import jwt  # loaded when a client first shows a token: it costs start-up time

    options: Any = {"require": required, "verify_exp": False, "verify_iat": False, "verify_nbf": False}
    found: Mapping[str, Any] = jwt.decode(
        token, key.public, algorithms=[key.algorithm], audience=audience, issuer=issuer, options=options
    )
    return found


def verified_claims(token: str, stated: Unverified, key: Key, *, audience: str, now: datetime) -> Claims:
    """What the token proves to `audience`, the address called; Unauthorized with the reason otherwise."""
    import jwt

    if stated.algorithm != key.algorithm:
        raise Unauthorized("algorithm")
    try:
        payload = signed_payload(token, key, issuer=stated.issuer, audience=audience, required=_REQUIRED)
    except jwt.InvalidSignatureError:
        raise Unauthorized("signature") from None
    except jwt.InvalidAudienceError:
        raise Unauthorized("aud") from None
    except (jwt.PyJWTError, ValueError):
        raise Unauthorized("claims") from None
    expires_at = _check_times(payload, now)
    tenant = payload.get("tenant")
    return Claims(
        issuer=stated.issuer,
        jti=_text(payload["jti"], "jti", _JTI_LIMIT),
        tenant=None if tenant is None else _text(tenant, "tenant", _NAME_LIMIT),
        expires_at=expires_at,
    )


def _object(part: str) -> dict[str, Any]:
    """The JSON object in one part of a token."""
    try:
        found = msgspec.json.decode(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Unauthorized("shape") from None
    if not isinstance(found, dict):
        raise Unauthorized("shape")
    return found


def _check_times(payload: Mapping[str, Any], now: datetime) -> datetime:
    issued, expires = _moment(payload, "iat"), _moment(payload, "exp")
    not_before = _moment(payload, "nbf") if "nbf" in payload else issued
    if max(issued, not_before) > now + LEEWAY:
        raise Unauthorized("iat")
    if expires <= now - LEEWAY:
        raise Unauthorized("exp")
    if not timedelta(0) < expires - issued <= LIFETIME_MAX:
        raise Unauthorized("lifetime")
    return expires


def _moment(payload: Mapping[str, Any], name: str) -> datetime:
    """A NumericDate (RFC 7519, 2): a number, never a text or a truth."""
    value = payload.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise Unauthorized(name)
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        raise Unauthorized(name) from None


def _text(value: Any, name: str, limit: int) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= limit or not value.isprintable():
        raise Unauthorized(name)
    return value
