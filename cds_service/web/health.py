"""For whoever operates the service: is it alive, is it ready, and how much of what has it done."""

from __future__ import annotations

import orjson
from flask import Blueprint, Response

from cds_service.monitoring import metrics as measured
from cds_service.web.access import authenticate
from cds_service.web.context import runtime

blueprint = Blueprint("health", __name__)

_RETRY_AFTER_S = "2"


@blueprint.get("/livez")
def livez() -> Response:
    """The process answers; says nothing of what it needs, so that a database away does not restart it."""
    return _answer({"status": "alive"})


@blueprint.get("/readyz")
def readyz() -> Response:
    """Whether calls are answered now and by which models; 503 names each part that is not ready."""
    process = runtime()
    problems, found = process.problems(), process.models
    models = {"models": found.versions(), "refused": found.refused(), "withheld_from_real_patients": found.made_up()}
    if not problems:
        return _answer({"status": "ready", **models})
    response = _answer({"status": "not ready", "problems": problems, **models}, status=503)
    response.headers["Retry-After"] = _RETRY_AFTER_S
    return response


@blueprint.get("/metrics")
def metrics() -> Response:
    """Counters and histograms in the Prometheus text format, for a steward or a token made for one."""
    authenticate(runtime())
    return Response(measured.exposition(), content_type=measured.CONTENT_TYPE)


def _answer(document: object, status: int = 200) -> Response:
    response = Response(orjson.dumps(document), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
