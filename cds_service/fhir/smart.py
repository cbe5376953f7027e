"""SMART App Launch (2.2): what an EHR publishes of its authorization server, and what that answers to a code."""

from __future__ import annotations

import msgspec

from cds_service.errors import Forbidden
from cds_service.fhir.access import base_problem


class Endpoints(msgspec.Struct, frozen=True):
    """Where a browser is sent to, where a code is exchanged, and who signs id_tokens with which keys."""

    authorize: str
    token: str
    issuer: str
    keys: str


class Granted(msgspec.Struct, frozen=True, rename={"app_context": "appContext"}):
    """What is read of the answer to a code. The access token in it is not: nothing is asked with it."""

    token_type: str
    id_token: str
    patient: str
    app_context: str | None = None

    def __repr__(self) -> str:
        """Nothing of it."""
        return "Granted()"


class _Configuration(msgspec.Struct):
    authorization_endpoint: str
    token_endpoint: str
    issuer: str
    jwks_uri: str
    code_challenge_methods_supported: list[str] = []


_CONFIGURATION = msgspec.json.Decoder(_Configuration)
_GRANTED = msgspec.json.Decoder(Granted)


def endpoints_from_document(body: bytes, *, allow_loopback: bool) -> Endpoints:
    """The endpoints of a `.well-known/smart-configuration`; Forbidden where they will not do, or PKCE is not known."""
    try:
        said = _CONFIGURATION.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise Forbidden("launch-configuration") from None
    addresses = (said.authorization_endpoint, said.token_endpoint, said.jwks_uri)
    is_sound = not any(base_problem(address, allow_loopback=allow_loopback) for address in addresses)
    if not is_sound or "S256" not in said.code_challenge_methods_supported:
        raise Forbidden("launch-configuration")
    return Endpoints(said.authorization_endpoint, said.token_endpoint, said.issuer, said.jwks_uri)


def granted_from_document(body: bytes) -> Granted:
    """The answer to a code; Forbidden where it names no patient, or does not say who the user is."""
    try:
        granted = _GRANTED.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise Forbidden("launch-answer") from None
    if granted.token_type.lower() != "bearer" or not granted.patient:
        raise Forbidden("launch-answer")
    return granted
