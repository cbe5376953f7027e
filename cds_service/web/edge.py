"""What every request passes through: an id for the log, the encoding check, and the count of its answer."""

from __future__ import annotations

import re
from http import HTTPStatus
from random import getrandbits
from time import perf_counter

from flask import Flask, Response, request
from werkzeug.routing import Rule

from cds_service import logs
from cds_service.errors import UnsupportedMedia
from cds_service.monitoring.calls import PAGES
from cds_service.monitoring.metrics import count_request
from cds_service.stages import turn
from cds_service.web.context import allowance, begin_request, caller, end_request, environ_at_hand, runtime

_STARTED = "cds.started"
_REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def watch_requests(app: Flask) -> None:
    """Give each request its id, refuse compressed bodies, and count each answer by route and status."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_forget)


def _begin() -> None:
    environ = begin_request()
    environ[_STARTED] = perf_counter()
    sent = environ.get("HTTP_X_REQUEST_ID", "")
    # Told apart, not guarded: random numbers without a system call, which would hand the interpreter lock over.
    logs.request_id.set(sent if sent and _REQUEST_ID.fullmatch(sent) else f"{getrandbits(64):016x}")
    encoding = environ.get("HTTP_CONTENT_ENCODING", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMedia("send the body without compression", where="Content-Encoding")


def _end(response: Response) -> Response:
    turn()
    rule = request.url_rule
    route = rule.rule if rule is not None else "(none)"
    status = response.status_code
    seconds = perf_counter() - environ_at_hand()[_STARTED]
    count_request(route, status, seconds)
    _note_call(rule, route, status, seconds)
    headers = response.headers
    headers["X-Request-ID"] = logs.request_id.get()
    headers["X-Content-Type-Options"] = "nosniff"
    left = allowance()
    if left is not None:
        # The header fields most clients know (draft-ietf-httpapi-ratelimit-headers, up to its seventh version).
        headers["RateLimit-Limit"] = str(left.limit)
        headers["RateLimit-Remaining"] = str(left.remaining)
        headers["RateLimit-Reset"] = str(left.reset_s)
    return response


def _note_call(rule: Rule | None, route: str, status: int, seconds: float) -> None:
    """Count the call for the dashboard of whoever made it; of calls by nobody known, those that went wrong."""
    actor = caller()
    if actor is not None:
        name = PAGES if rule is not None and rule.endpoint.startswith("console.") else route
        runtime().calls.note(actor.tenant, actor.environment, name, status, seconds)
    elif status in _REFUSED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        runtime().calls.note("", "", route, status, seconds)


def _forget(_error: BaseException | None) -> None:
    """Threads outlive requests: what this one logs next is not about this request."""
    logs.request_id.set("")
    end_request()
