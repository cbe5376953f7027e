"""The id_token of an EHR: who its user is (OpenID Connect Core 1.0, 3.1.3.7; SMART App Launch 2.2, fhirUser)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Any

import jwt

from cds_service.cdshooks.client_token import LEEWAY, LENGTH_MAX, signed_payload
from cds_service.cdshooks.jwks import ES384, RS256
from cds_service.cdshooks.key_source import Key
from cds_service.errors import Forbidden

_REQUIRED = ["iss", "aud", "exp", "iat", "sub", "nonce", "fhirUser"]


@dataclass(frozen=True, slots=True)
class Expected:
    """What an id_token must say: who signed it, for which app, and for which launch."""

    issuer: str
    client_id: str
    nonce: str


def key_id_of(token: str) -> str:
    """The key a token says it was signed with: believed by nobody."""
    try:
        header = jwt.get_unverified_header(token[: LENGTH_MAX + 1])
    except (jwt.PyJWTError, ValueError):
        raise Forbidden("launch-signature") from None
    if len(token) > LENGTH_MAX or header.get("alg") not in (RS256, ES384):
        raise Forbidden("launch-signature")
    return str(header.get("kid", ""))


def fhir_user(token: str, key: Key | None, expected: Expected, *, now: datetime) -> str:
    """The claim `fhirUser` of a sound token; Forbidden otherwise."""
    if key is None:
        raise Forbidden("launch-signature")
    try:
        payload = signed_payload(token, key, issuer=expected.issuer, audience=expected.client_id, required=_REQUIRED)
    except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
        raise Forbidden("launch-signature") from None
    except (jwt.PyJWTError, ValueError):
        raise Forbidden("launch-claims") from None
    if payload.get("azp", expected.client_id) != expected.client_id or not _is_timely(payload, now):
        raise Forbidden("launch-claims")
    if not compare_digest(str(payload["nonce"]).encode(), expected.nonce.encode()):
        raise Forbidden("launch-nonce")
    return str(payload["fhirUser"])


def _is_timely(payload: Mapping[str, Any], now: datetime) -> bool:
    """Whether it was issued before now and has not ended, but for clocks apart."""
    issued, expires = payload["iat"], payload["exp"]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in (issued, expires)):
        return False
    leeway = LEEWAY.total_seconds()
    return bool(issued - leeway <= now.timestamp() < expires + leeway)
