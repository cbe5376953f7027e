"""What is wrong with a CDS Hooks request, and how it is described in /openapi.json: marshmallow schemas.

They are made from what `envelope.py` checks, and accept exactly what it does; tests/cdshooks/test_schemas.py compares.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from marshmallow import INCLUDE, Schema, ValidationError, fields, validate, validates_schema

from cds_service.cdshooks.catalogue import Service
from cds_service.cdshooks.envelope import BASE_URL, UUID_TEXT, is_resource, pattern_of
from cds_service.cdshooks.hooks import HOOKS, ContextField


def explain(document: object, *, service: Service) -> tuple[tuple[str, str], ...]:
    """What is wrong with a request, as (where, text) pairs in the order of their places; empty when nothing is."""
    if not isinstance(document, Mapping):
        return (("", "The body must be a JSON object."),)
    hook = document.get("hook")
    schema = request_schema(hook if isinstance(hook, str) and hook in service.prefetch else None, service.hooks)
    return tuple(sorted(places(schema.validate(dict(document)))))


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
        validate=validate.Regexp(BASE_URL, error="Must be an absolute http or https URL without query or fragment."),
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
    check = validate.Regexp(pattern_of(field), error=f"Must be {form} (letters, digits, '-' and '.', at most 64).")
    return fields.String(required=field.required, allow_none=not field.required, validate=check)


def _resource_field(kind: str) -> fields.Field[Any]:
    def check(value: object) -> None:
        if not is_resource(value, kind):
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
