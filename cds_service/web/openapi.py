"""/openapi.json: the operations and their marshmallow schemas as one OpenAPI document."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import orjson
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Response
from marshmallow import Schema

from cds_service import __version__
from cds_service.web import schemas
from cds_service.web.operations import FHIR, JSON, OPERATIONS, PROBLEM, Operation

openapi = Blueprint("openapi", __name__)


@openapi.get("/openapi.json")
def document() -> Response:
    """The OpenAPI document of this version."""
    return Response(_document(), content_type=JSON)


@cache
def _document() -> bytes:
    return orjson.dumps(describe(OPERATIONS))


def describe(operations: tuple[Operation, ...]) -> dict[str, Any]:
    """The operations as an OpenAPI 3.1 document."""
    spec = APISpec(
        title="Clinical decision support",
        version=__version__,
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin()],
    )
    for operation in operations:
        spec.path(path=operation.path, operations={operation.method: _operation(operation)})
    return spec.to_dict()


def _operation(operation: Operation) -> dict[str, Any]:
    parameters: list[Any] = [
        {"in": "path", "name": name, "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    if operation.query is not None:
        parameters.append({"in": "query", "schema": operation.query})
    described: dict[str, Any] = {
        "summary": operation.summary,
        "responses": {"200": {"description": "Answered", "content": _content(operation.answer, operation.media)}},
    }
    if parameters:
        described["parameters"] = parameters
    if operation.request is not None:
        media = FHIR if operation.media == FHIR else JSON
        described["requestBody"] = {"required": True, "content": _content(operation.request, media)}
    if operation.silent is not None:
        content = _content(operation.silent, operation.media)
        described["responses"]["202"] = {"description": "Stored; the tenant is silent", "content": content}
    if operation.text:
        described["requestBody"] = {"required": True, "content": {"text/plain": {"schema": {"type": "string"}}}}
    failure = _FAILURES[operation.failure]
    for status in operation.refusals:
        content = _content(failure, operation.failure)
        described["responses"][str(status)] = {"description": _REFUSED[status], "content": content}
    return described


def _content(schema: Schema | type[Schema] | None, media: str) -> dict[str, Any]:
    return {media: {"schema": schema if schema is not None else {}}}


_FAILURES: dict[str, type[Schema]] = {
    FHIR: schemas.FhirSchema,
    PROBLEM: schemas.ProblemSchema,
    JSON: schemas.HealthSchema,
}

_REFUSED = {
    400: "The request cannot be read",
    401: "The caller is not known",
    403: "Not this caller's to do",
    404: "Nothing is here for this caller",
    409: "The same hookInstance came before with other content",
    412: "Data the answer needs were not sent",
    413: "Over a stated limit",
    415: "Not a media type or encoding this address reads",
    422: "JSON, but no FHIR resource that can be used",
    429: "More calls than are agreed with this client; Retry-After says when to try again",
    503: "Database, model or queue away; Retry-After says when to try again",
}
