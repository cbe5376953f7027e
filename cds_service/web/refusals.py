"""Callers that are refused: the answer says nothing, the audit log says why, and a flood of them fills nothing."""

from __future__ import annotations

from flask import Flask, Response, request

from cds_service.errors import Forbidden, Unauthorized
from cds_service.monitoring.metrics import count_refusal
from cds_service.web.context import runtime
from cds_service.web.problems import problem_response

_CLAIM = "cds.claim"


def record_refusals(app: Flask) -> None:
    """Record every refusal, wherever it was found out: by the token itself, or by the writer that knows it was used."""
    app.register_error_handler(Unauthorized, _refuse)
    app.register_error_handler(Forbidden, _refuse)


def claim(**said: str) -> None:
    """Leave in the request who it says it comes from: ids only, for the audit log should it be refused."""
    request.environ[_CLAIM] = said


def record_refusal(reason: str) -> None:
    """Count the refusal of the request at hand, and have it in the audit log."""
    count_refusal(reason)
    runtime().refusals.note(request.endpoint or "", reason, request.environ.get(_CLAIM, {}))


def _refuse(error: Unauthorized | Forbidden) -> Response:
    record_refusal(error.reason)
    return problem_response(error, request.path)
