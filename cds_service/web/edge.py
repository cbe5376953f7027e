"""What every request passes through: an id for the log, the encoding check, and the count of its answer."""

from __future__ import annotations

import os
import re
from time import perf_counter

from flask import Flask, Response, g, request

from cds_service import logs
from cds_service.errors import UnsupportedMedia
from cds_service.monitoring.metrics import count_request

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def watch_requests(app: Flask) -> None:
    """Give each request its id, refuse compressed bodies, and count each answer by route and status."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)


def _begin() -> None:
    g.started = perf_counter()
    sent = request.environ.get("HTTP_X_REQUEST_ID", "")
    logs.request_id.set(sent if _REQUEST_ID.fullmatch(sent) else os.urandom(8).hex())
    encoding = request.environ.get("HTTP_CONTENT_ENCODING", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMedia("send the body without compression", where="Content-Encoding")


def _end(response: Response) -> Response:
    rule = request.url_rule
    route = rule.rule if rule is not None else "(none)"
    count_request(route, response.status_code, perf_counter() - g.started)
    response.headers["X-Request-ID"] = logs.request_id.get()
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _forget(_error: BaseException | None) -> None:
    """Threads outlive requests: what this one logs next is not about this request."""
    logs.request_id.set("")
