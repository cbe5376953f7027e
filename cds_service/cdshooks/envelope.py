"""The envelope of a CDS Hooks request, by a quick check on the path of every call; `schemas.py` says what is wrong.

The check is made from `hooks.HOOKS` and the patterns below. Members nobody asked for are tolerated (CDS Hooks 2.0.1,
extensions), and an optional member that is null counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cds_service.cdshooks.catalogue import Service
from cds_service.cdshooks.hooks import HOOKS, ContextField
from cds_service.errors import BadRequest

# RFC 9562 text form, without braces or urn: CDS Hooks 2.0.1 says "a universally unique identifier (UUID)".
UUID_TEXT = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z")
# FHIR R4 datatype id.
_ID = re.compile(r"[A-Za-z0-9.\-]{1,64}\Z")
# An absolute http(s) base without user information, query or fragment. Whether it may be called is decided elsewhere.
BASE_URL = re.compile(r"(?=.{1,2048}\Z)https?://[A-Za-z0-9.\-_~\[\]:%]+(?:/[^\s?#\\]*)?\Z")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What one hook call says of itself, but for its prefetch."""

    hook: str
    hook_instance: UUID
    user_id: str
    patient_id: str
    encounter_id: str | None
    fhir_server: str | None
    fhir_authorization: Mapping[str, Any] | None


class InvalidEnvelope(BadRequest):
    """The request is not the CDS Hooks request this address serves; all its `issues` are told."""

    def __init__(self, issues: tuple[tuple[str, str], ...]) -> None:
        where, text = issues[0]
        super().__init__(text, where=where, details=issues[1:])


def envelope(document: object, *, service: Service) -> Envelope:
    """The request's envelope; raises InvalidEnvelope naming each member that is wrong."""
    if not (isinstance(document, Mapping) and _is_sound(document, service)):
        from cds_service.cdshooks.schemas import explain  # imported for who needs it: marshmallow takes its time

        raise InvalidEnvelope(explain(document, service=service) or (("", "not a CDS Hooks request"),))
    context = document["context"]
    return Envelope(
        hook=document["hook"],
        hook_instance=UUID(document["hookInstance"]),
        user_id=context["userId"],
        patient_id=context["patientId"],
        encounter_id=context.get("encounterId"),
        fhir_server=document.get("fhirServer"),
        fhir_authorization=document.get("fhirAuthorization"),
    )


# The quick check. It must accept exactly what the schemas accept; tests/cdshooks/test_schemas.py compares them.


def _is_sound(document: Mapping[str, Any], service: Service) -> bool:
    hook, instance, context = document.get("hook"), document.get("hookInstance"), document.get("context")
    return (
        isinstance(hook, str)
        and hook in service.prefetch
        and isinstance(instance, str)
        and UUID_TEXT.match(instance) is not None
        and isinstance(context, Mapping)
        and all(_fits(context.get(name), pattern, required) for name, pattern, required in _CONTEXT_CHECKS[hook])
        and all(is_resource(context.get(name), kind) for name, kind in _CONTEXT_RESOURCES[hook])
        and isinstance(document.get("prefetch"), Mapping | None)
        and _may_read(document.get("fhirServer"), document.get("fhirAuthorization"))
    )


def _fits(value: object, pattern: re.Pattern[str], required: bool) -> bool:
    return not required if value is None else isinstance(value, str) and pattern.match(value) is not None


def _may_read(server: object, authorization: object) -> bool:
    """Whether the way back to the FHIR server is sound: none, a server, or a server and a token for it."""
    if not _fits(server, BASE_URL, required=authorization is not None):
        return False
    return authorization is None or (isinstance(authorization, Mapping) and _is_token(authorization))


def _is_token(authorization: Mapping[str, Any]) -> bool:
    lifetime = authorization.get("expires_in")
    token = authorization.get("access_token")
    return (
        isinstance(token, str)
        and token != ""
        and authorization.get("token_type") == "Bearer"
        and (lifetime is None or (isinstance(lifetime, int) and not isinstance(lifetime, bool)))
        and all(isinstance(authorization.get(name), str | None) for name in ("scope", "subject", "patient"))
    )


def pattern_of(field: ContextField) -> re.Pattern[str]:
    """What the member of a context must look like."""
    if not field.references:
        return _ID
    return re.compile(rf"(?:{'|'.join(field.references)})/{_ID.pattern}")


def is_resource(value: object, kind: str) -> bool:
    """Whether the value is a resource of this type."""
    return isinstance(value, Mapping) and value.get("resourceType") == kind


_CONTEXT_CHECKS = {
    hook: tuple((field.name, pattern_of(field), field.required) for field in table if field.resource is None)
    for hook, table in HOOKS.items()
}
_CONTEXT_RESOURCES = {
    hook: tuple((field.name, field.resource) for field in table if field.resource is not None)
    for hook, table in HOOKS.items()
}
