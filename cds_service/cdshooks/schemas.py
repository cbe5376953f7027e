"""The envelope of a CDS Hooks request: a quick check on the path, and marshmallow to say what is wrong.

Both are made from `hooks.HOOKS` and the patterns below. Members nobody asked for are tolerated (CDS Hooks 2.0.1,
extensions), and an optional member that is null counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from marshmallow import INCLUDE, Schema, ValidationError, fields, validate, validates_schema

from cds_service.cdshooks.catalogue import Service
from cds_service.cdshooks.hooks import HOOKS, ContextField
from cds_service.errors import BadRequest

# RFC 9562 text form, without braces or urn: CDS Hooks 2.0.1 says "a universally unique identifier (UUID)".
UUID_TEXT = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z")
# FHIR R4 datatype id.
_ID = re.compile(r"[A-Za-z0-9.\-]{1,64}\Z")
# An absolute http(s) base without user information, query or fragment. Whether it may be called is decided elsewhere.
_BASE_URL = re.compile(r"(?=.{1,2048}\Z)https?://[A-Za-z0-9.\-_~\[\]:%]+(?:/[^\s?#\\]*)?\Z")


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


def explain(document: object, *, service: Service) -> tuple[tuple[str, str], ...]:
    """What is wrong with a request, as (where, text) pairs in the order of their places; empty when nothing is."""
    if not isinstance(document, Mapping):
        return (("", "The body must be a JSON object."),)
    hook = document.get("hook")
    schema = request_schema(hook if isinstance(hook, str) and hook in service.prefetch else None, service.hooks)
    return tuple(sorted(places(schema.validate(dict(document)))))


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
        and all(_is_resource(context.get(name), kind) for name, kind in _CONTEXT_RESOURCES[hook])
        and isinstance(document.get("prefetch"), Mapping | None)
        and _may_read(document.get("fhirServer"), document.get("fhirAuthorization"))
    )


def _fits(value: object, pattern: re.Pattern[str], required: bool) -> bool:
    return not required if value is None else isinstance(value, str) and pattern.match(value) is not None


def _may_read(server: object, authorization: object) -> bool:
    """Whether the way back to the FHIR server is sound: none, a server, or a server and a token for it."""
    if not _fits(server, _BASE_URL, required=authorization is not None):
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


def _pattern(field: ContextField) -> re.Pattern[str]:
    if not field.references:
        return _ID
    return re.compile(rf"(?:{'|'.join(field.references)})/{_ID.pattern}")


def _is_resource(value: object, kind: str) -> bool:
    return isinstance(value, Mapping) and value.get("resourceType") == kind


_CONTEXT_CHECKS = {
    hook: tuple((field.name, _pattern(field), field.required) for field in table if field.resource is None)
    for hook, table in HOOKS.items()
}
_CONTEXT_RESOURCES = {
    hook: tuple((field.name, field.resource) for field in table if field.resource is not None)
    for hook, table in HOOKS.items()
}


# The schemas: they explain, and describe the requests in /openapi.json.


class _Tolerant(Schema):
    class Meta:
        unknown = INCLUDE


class FhirAuthorizationSchema(_Tolerant):
    """Access to the client's FHIR server; only what a call needs is required."""

    access_token = fields.String(required=True, validate=validate.Length(min=1))
    token_type = fields.String(required=True, validate=validate.Equal("Bearer"))
    expires_in = fields.Integer(strict=True, allow_none=True)
    scope = fields.String(allow_none=True)
    subject = fields.String(allow_none=True)
    patient = fields.String(allow_none=True)


class RequestSchema(_Tolerant):
    """What every hook's request has in common."""

    hookInstance = fields.String(  # noqa: N815 -- CDS Hooks' own spelling
        required=True,
        validate=validate.Regexp(UUID_TEXT, error="Must be a UUID, such as d1577c69-dfbe-44ad-ba6d-3e05e953b2ea."),
    )
    fhirServer = fields.String(  # noqa: N815
        allow_none=True,
        validate=validate.Regexp(_BASE_URL, error="Must be an absolute http or https URL without query or fragment."),
    )
    fhirAuthorization = fields.Nested(FhirAuthorizationSchema, allow_none=True)  # noqa: N815
    prefetch = fields.Dict(keys=fields.String(), allow_none=True)

    @validates_schema
    def _server_with_authorization(self, data: Mapping[str, Any], **_: object) -> None:
        if data.get("fhirAuthorization") is not None and data.get("fhirServer") is None:
            raise ValidationError("Required because fhirAuthorization is present.", "fhirServer")


@lru_cache(maxsize=32)
def request_schema(hook: str | None, hooks: tuple[str, ...]) -> Schema:
    """The schema of one hook's request; with `hook` None, of a request whose hook is not among `hooks`."""
    allowed = (hook,) if hook else hooks
    context: fields.Field[Any] = fields.Nested(context_schema(hook), required=True) if hook else fields.Raw()
    named = fields.String(
        required=True,
        validate=validate.OneOf(allowed, error=f"This service answers {', '.join(hooks)}."),
    )
    name = "".join(part.title() for part in (hook or "any").split("-"))
    schema = RequestSchema.from_dict({"hook": named, "context": context}, name=f"{name}Request")
    return schema()


@lru_cache(maxsize=32)
def context_schema(hook: str) -> type[Schema]:
    """The schema of one hook's context, from its row in the table."""
    name = "".join(part.title() for part in hook.split("-"))
    members: dict[str, Any] = {field.name: _context_field(field) for field in HOOKS[hook]}
    return _Tolerant.from_dict(members, name=f"{name}Context")


def _context_field(field: ContextField) -> fields.Field[Any]:
    if field.resource is not None:
        return _resource_field(field.resource)
    form = f"a reference {' or '.join(f'{kind}/id' for kind in field.references)}" if field.references else "a FHIR id"
    check = validate.Regexp(_pattern(field), error=f"Must be {form} (letters, digits, '-' and '.', at most 64).")
    return fields.String(required=field.required, allow_none=not field.required, validate=check)


def _resource_field(kind: str) -> fields.Field[Any]:
    def check(value: object) -> None:
        if not _is_resource(value, kind):
            raise ValidationError(f"Must be a FHIR {kind}.")

    return fields.Dict(keys=fields.String(), required=True, validate=check)


def places(messages: Mapping[Any, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Marshmallow's nested messages as (where, text) pairs; items of a list by their number."""
    for key, value in messages.items():
        named = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}" if path else str(key)
        where = path if key == "_schema" else named
        if isinstance(value, Mapping):
            yield from places(value, where)
        else:
            yield from ((where, str(text)) for text in value)
