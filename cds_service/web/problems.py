"""Every failure as JSON: an OperationOutcome on the FHIR and CDS Hooks addresses, an RFC 9457 problem elsewhere."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import uuid4

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from cds_service import logs
from cds_service.errors import CdsError, TooManyRequests, Unauthorized, Unavailable
from cds_service.fhir.outcome import operation_outcome
from cds_service.web.context import inert

log = logs.get_logger(__name__)

_FHIR_PATHS = ("/cds-services", "/fhir")

# Status of a refusal by Flask or the HTTP server: FHIR issue type (http://hl7.org/fhir/R4/valueset-issue-type.html)
# and what the caller can do. Their own texts are not sent: some repeat the request.
REFUSALS: dict[int, tuple[str, str]] = {
    400: ("invalid", "the request cannot be read"),
    404: ("not-found", "no such address"),
    405: ("not-supported", "the address does not take this method; Allow names those it takes"),
    406: ("not-supported", "the address answers JSON only"),
    408: ("timeout", "the request did not arrive in time"),
    411: ("invalid", "Content-Length is missing"),
    413: ("too-long", "the body is too large"),
    414: ("too-long", "the address is too long"),
    415: ("not-supported", "send JSON, not compressed, with its Content-Type"),
    417: ("not-supported", "the expectation is not supported"),
    429: ("throttled", "too many requests; try again after Retry-After seconds"),
    431: ("too-long", "the headers are too large"),
    503: ("transient", "not ready; try again after Retry-After seconds"),
}


class Refusal(CdsError):
    """A refusal known by its HTTP status alone."""

    def __init__(self, status: int) -> None:
        self.issue, text = REFUSALS.get(status, ("processing", "the request was refused"))
        self.status = status
        super().__init__(text)


def register_error_handlers(app: Flask) -> None:
    """Answer every failure of the application with `problem_response`; nothing leaves as HTML."""
    app.register_error_handler(CdsError, _known)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def problem_response(error: CdsError, path: str) -> Response:
    """The error as the address at `path` answers it, with Retry-After where trying again may help."""
    body, media = problem_body(error, path)
    response = Response(body, status=error.status, content_type=media)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    if isinstance(error, Unavailable | TooManyRequests):
        response.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = 'Bearer, Basic realm="cds", charset="UTF-8"'
    return response


def problem_body(error: CdsError, path: str) -> tuple[bytes, str]:
    """Body and media type of the error for the address at `path`; what it repeats of a request is no HTML."""
    if is_fhir_path(path):
        return _dumps(operation_outcome(error)), "application/fhir+json"
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.text,
    }
    if error.where:
        problem["where"] = error.where
    if error.details:
        problem["errors"] = [{"where": where, "detail": text} for where, text in error.details]
    return _dumps(problem), "application/problem+json"


def is_fhir_path(path: str) -> bool:
    """Whether the address answers failures with an OperationOutcome."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in _FHIR_PATHS)


def _dumps(document: object) -> bytes:
    return inert(orjson.dumps(document))


def _known(error: CdsError) -> Response:
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, Unavailable):
        return _unexpected(error)
    if isinstance(error, Unavailable):
        log.warning("unavailable", where=error.where, reason=error.text)
    return problem_response(error, request.path)


def _http(error: HTTPException) -> Response | HTTPException:
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if status < HTTPStatus.BAD_REQUEST:
        return error
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return _unexpected(error)
    response = problem_response(Refusal(status), request.path)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _unexpected(error: Exception) -> Response:
    """Say only an id, and log under it where the error came from, without its message: that may hold data."""
    error_id = uuid4().hex
    log.error("request_failed", error_id=error_id, exception=type(error).__name__, frames=logs.frames(error))
    failure = CdsError(f"an unexpected error occurred; its id is {error_id}")
    return problem_response(failure, request.path)
