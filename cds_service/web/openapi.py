"""/openapi.json: the table of operations and the marshmallow schemas as one OpenAPI document."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Response
from marshmallow import Schema

from cds_service import __version__
from cds_service.cdshooks import feedback
from cds_service.cdshooks.catalogue import SERVICES
from cds_service.cdshooks.schemas import request_schema
from cds_service.web import label_body, schemas

openapi = Blueprint("openapi", __name__)

JSON = "application/json"
FHIR = "application/fhir+json"
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address. `refusals` are the statuses it may answer besides 200."""

    method: str
    path: str
    summary: str
    answer: type[Schema] | None
    media: str = JSON
    request: Schema | type[Schema] | None = None
    query: type[Schema] | None = None
    refusals: tuple[int, ...] = ()
    failure: str = PROBLEM


_BODY = (400, 413, 415)
_CALLER = (401, 403, 429)
_HOOKS = tuple(sorted({hook for service in SERVICES.values() for hook in service.hooks}))

OPERATIONS = (
    Operation("get", "/cds-services", "The services offered and their hooks", schemas.ServicesSchema, failure=FHIR),
    Operation(
        "post",
        "/cds-services/{service_id}",
        "Cards for one hook call",
        schemas.CardsSchema,
        request=request_schema(None, _HOOKS),
        refusals=(*_BODY, *_CALLER, 404, 409, 412, 422, 503),
        failure=FHIR,
    ),
    Operation(
        "post",
        "/cds-services/{service_id}/feedback",
        "What became of cards",
        feedback.ReceivedSchema,
        request=feedback.FeedbackSchema,
        refusals=(*_BODY, *_CALLER, 404, 503),
        failure=FHIR,
    ),
    Operation(
        "post",
        "/fhir/$assess",
        "RiskAssessment and GuidanceResponse for a Bundle of one patient",
        schemas.FhirSchema,
        media=FHIR,
        request=schemas.FhirSchema,
        refusals=(*_BODY, *_CALLER, 422, 503),
        failure=FHIR,
    ),
    Operation(
        "get",
        "/fhir/RiskAssessment/{prediction_id}",
        "A stored prediction as FHIR",
        schemas.FhirSchema,
        media=FHIR,
        refusals=(*_CALLER, 404, 503),
        failure=FHIR,
    ),
    Operation(
        "get",
        "/predict",
        "The prediction for one flat record",
        schemas.PredictionSchema,
        query=schemas.RecordSchema,
        refusals=(400, *_CALLER, 503),
    ),
    Operation(
        "post",
        "/predict",
        "The prediction for one flat record",
        schemas.PredictionSchema,
        request=schemas.RecordSchema,
        refusals=(*_BODY, *_CALLER, 503),
    ),
    Operation(
        "post",
        "/fhir/$rare-disease",
        "RiskAssessment and GuidanceResponse with rare diseases to consider, for a Bundle of one patient",
        schemas.FhirSchema,
        media=FHIR,
        request=schemas.FhirSchema,
        refusals=(*_BODY, 401, 422, 503),
        failure=FHIR,
    ),
    Operation(
        "get",
        "/rare-diseases",
        "Rare diseases to consider for a list of findings",
        schemas.RareSchema,
        query=schemas.FindingsQuerySchema,
        refusals=(400, 401, 413, 503),
    ),
    Operation(
        "post",
        "/rare-diseases",
        "Rare diseases to consider for a list of findings",
        schemas.RareSchema,
        request=schemas.FindingsSchema,
        refusals=(*_BODY, 401, 503),
    ),
    Operation(
        "get",
        "/rare-diseases/findings",
        "Findings by the beginning of their names",
        schemas.FoundSchema,
        query=schemas.SearchSchema,
        refusals=(400, 503),
    ),
    Operation(
        "get",
        "/predictions/{prediction_id}",
        "A stored prediction",
        schemas.PredictionSchema,
        refusals=(*_CALLER, 404, 503),
    ),
    Operation(
        "get",
        "/predictions/{prediction_id}/explain",
        "The reasons of a stored prediction",
        schemas.ExplanationSchema,
        refusals=(*_CALLER, 404, 503),
    ),
    Operation(
        "post",
        "/predictions/{prediction_id}/labels",
        "A validated diagnosis of a prediction, or its withdrawal",
        label_body.LabelSchema,
        request=label_body.LabelBodySchema,
        refusals=(*_BODY, *_CALLER, 404, 503),
    ),
    Operation(
        "get",
        "/predictions/{prediction_id}/labels",
        "The labels of a prediction as of a moment",
        label_body.LabelsSchema,
        query=label_body.AsOfSchema,
        refusals=(400, *_CALLER, 404, 503),
    ),
    Operation(
        "post",
        "/labels/{label_id}/release",
        "Let a label count that was held back",
        label_body.LabelSchema,
        request=label_body.ReleaseSchema,
        refusals=(*_BODY, *_CALLER, 404, 409, 503),
    ),
    Operation("get", "/models/{task}/{version}/card", "Its card", None, media="text/markdown", refusals=(404, 503)),
    Operation("get", "/livez", "Whether the process is alive", schemas.HealthSchema),
    Operation("get", "/readyz", "Whether calls are answered now", schemas.HealthSchema, refusals=(503,), failure=JSON),
    Operation("get", "/metrics", "Counters and histograms", None, media="text/plain", refusals=(*_CALLER, 503)),
    Operation("get", "/openapi.json", "This document", None),
)


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
