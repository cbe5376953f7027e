"""Cross-origin calls from browsers: listed origins, the CDS Hooks addresses, preflight without authentication."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask, Response, request

from cds_service.web.context import environ_at_hand

_PREFIX = "/cds-services"
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "600",  # chosen by us: a withdrawn origin is refused within ten minutes
}

# What a page may read of an answer besides its body: when to call again, and where it stands.
_READABLE = "Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"


def allow_origins(app: Flask, origins: Sequence[str]) -> None:
    """Let pages of `origins` call discovery, services and feedback; cookies are never allowed, nor any origin."""
    allowed = frozenset(origins)

    def answer_preflight() -> Response | None:
        """A preflight carries no token (Fetch standard, 3.2.2), so it is answered before anything asks for one."""
        if environ_at_hand()["REQUEST_METHOD"] != "OPTIONS" or not _is_shared(request.path):
            return None
        response = Response(status=204)
        response.headers["Allow"] = _PREFLIGHT["Access-Control-Allow-Methods"]
        if request.headers.get("Origin") in allowed:
            response.headers.update(_PREFLIGHT)
        return response

    def name_origin(response: Response) -> Response:
        origin = environ_at_hand().get("HTTP_ORIGIN")
        if origin is not None and _is_shared(request.path):
            response.headers.add("Vary", "Origin")
            if origin in allowed:
                response.headers["Access-Control-Allow-Origin"] = origin
                response.headers["Access-Control-Expose-Headers"] = _READABLE
        return response

    app.before_request(answer_preflight)
    app.after_request(name_origin)


def _is_shared(path: str) -> bool:
    return path == _PREFIX or path.startswith(f"{_PREFIX}/")
