"""The operations of /openapi.json: one row for each method of each address."""

from __future__ import annotations

from dataclasses import dataclass

from marshmallow import Schema

from cds_service.cdshooks import feedback
from cds_service.cdshooks.catalogue import SERVICES
from cds_service.cdshooks.schemas import request_schema
from cds_service.web import label_body, schemas

JSON = "application/json"
FHIR = "application/fhir+json"
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address.

    `refusals` are the statuses it may answer besides 200, `silent` what it answers with 202 while a tenant is silent.
    `text` says that it takes plain text.
    """

    method: str
    path: str
    summary: str
    answer: type[Schema] | None
    media: str = JSON
    request: Schema | type[Schema] | None = None
    query: type[Schema] | None = None
    text: bool = False
    refusals: tuple[int, ...] = ()
    failure: str = PROBLEM
    silent: type[Schema] | None = None


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
        silent=schemas.FhirSchema,
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
        silent=schemas.SilentSchema,
    ),
    Operation(
        "post",
        "/predict",
        "The prediction for one flat record",
        schemas.PredictionSchema,
        request=schemas.RecordSchema,
        refusals=(*_BODY, *_CALLER, 503),
        silent=schemas.SilentSchema,
    ),
    Operation(
        "post",
        "/fhir/$rare-disease",
        "RiskAssessment and GuidanceResponse with rare diseases to consider, for a Bundle of one patient",
        schemas.FhirSchema,
        media=FHIR,
        request=schemas.FhirSchema,
        refusals=(*_BODY, *_CALLER, 422, 503),
        failure=FHIR,
        silent=schemas.FhirSchema,
    ),
    Operation(
        "get",
        "/rare-diseases",
        "Rare diseases to consider for a list of findings",
        schemas.RareSchema,
        query=schemas.FindingsQuerySchema,
        refusals=(400, *_CALLER, 413, 503),
        silent=schemas.SilentSchema,
    ),
    Operation(
        "post",
        "/rare-diseases",
        "Rare diseases to consider for a list of findings",
        schemas.RareSchema,
        request=schemas.FindingsSchema,
        refusals=(*_BODY, *_CALLER, 503),
        silent=schemas.SilentSchema,
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
        "/predictions/{prediction_id}/labels/{label_id}/confirmation",
        "Confirm the rare disease another clinician's label names, or take that back",
        label_body.LabelSchema,
        request=label_body.ConfirmationSchema,
        refusals=(*_BODY, *_CALLER, 404, 409, 503),
    ),
    Operation(
        "post",
        "/labels/{label_id}/release",
        "Let a label count that was held back",
        label_body.LabelSchema,
        request=label_body.ReleaseSchema,
        refusals=(*_BODY, *_CALLER, 404, 409, 503),
    ),
    Operation(
        "post",
        "/hl7/v2",
        "The acknowledgment of one HL7 v2 message (ER7; application/hl7-v2 or text/plain)",
        None,
        media="application/hl7-v2",
        text=True,
        refusals=(*_BODY, *_CALLER, 503),
    ),
    Operation("get", "/models/{task}/{version}/card", "Its card", None, media="text/markdown", refusals=(404, 503)),
    Operation("get", "/livez", "Whether the process is alive", schemas.HealthSchema),
    Operation("get", "/readyz", "Whether calls are answered now", schemas.ReadySchema, refusals=(503,), failure=JSON),
    Operation("get", "/metrics", "Counters and histograms", None, media="text/plain", refusals=(*_CALLER, 503)),
    Operation("get", "/openapi.json", "This document", None),
)
