"""Callers that are refused: the answer says nothing, the audit log says why, and a flood of them fills nothing."""

from __future__ import annotations

import msgspec
from flask import Flask, Response, request

from cds_service.errors import Forbidden, Unauthorized, Unavailable
from cds_service.monitoring.metrics import count_refusal
from cds_service.storage.audit_log import AuditEvent
from cds_service.web.context import runtime
from cds_service.web.problems import problem_response

_CLAIM = "cds.claim"

_encode = msgspec.json.Encoder().encode


def record_refusals(app: Flask) -> None:
    """Record every refusal, wherever it was found out: by the token itself, or by the writer that knows it was used."""
    app.register_error_handler(Unauthorized, _refuse)
    app.register_error_handler(Forbidden, _refuse)


def claim(**said: str) -> None:
    """Leave in the request who it says it comes from: ids only, for the audit log should it be refused."""
    request.environ[_CLAIM] = said


def record_refusal(reason: str) -> None:
    """Count the refusal of the request at hand, and note it while those of the last minute are few.

    The next one noted says how many were not.
    """
    count_refusal(reason)
    process = runtime()
    if not process.refusals.take():
        return
    said = dict(request.environ.get(_CLAIM, {}))
    passed_over = process.refusals.passed_over()
    counted = {"not_noted_before": passed_over} if passed_over else {}
    event = AuditEvent(
        at=process.now(),
        tenant=said.pop("tenant", ""),
        actor=said.pop("actor", "unknown"),
        action="refuse",
        object_type="address",
        object_id=request.endpoint or "",
        detail=_encode({"reason": reason, **said, **counted}).decode(),
    )
    try:
        process.writer.submit_audit(event)
    except Unavailable:
        return  # the refusal stands, and is counted


def _refuse(error: Unauthorized | Forbidden) -> Response:
    record_refusal(error.reason)
    return problem_response(error, request.path)
