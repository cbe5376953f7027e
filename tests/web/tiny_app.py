"""A small application with the service's own edge, for tests of the transport; run as a script it is served."""

import sys
import time
from types import SimpleNamespace

from flask import Flask, Response, request

from cds_service import logs
from cds_service.errors import Conflict, Unavailable
from cds_service.monitoring.calls import Calls
from cds_service.web import cors, edge, problems, strict_json
from cds_service.web.gateway import Gateway
from cds_service.web.serving import serve_gateway

ORIGIN = "https://ehr.example.org"
MAX_BODY_BYTES = 64 * 1024


def create_app() -> Flask:
    app = Flask("tiny", static_folder=None)
    app.extensions["cds"] = SimpleNamespace(calls=Calls())
    problems.register_error_handlers(app)
    edge.watch_requests(app)
    cors.allow_origins(app, [ORIGIN])
    app.add_url_rule("/cds-services/<service>", view_func=read_body, methods=["POST"])
    app.add_url_rule("/echo", view_func=read_body, methods=["POST"])
    app.add_url_rule("/slow", view_func=slow)
    app.add_url_rule("/broken", view_func=broken)
    app.add_url_rule("/conflict", view_func=conflict)
    app.add_url_rule("/away", view_func=away)
    return app


def read_body(service: str = "") -> dict[str, object]:
    parsed = strict_json.parse(request.get_data(cache=False), max_bytes=MAX_BODY_BYTES)
    return {"read": len(parsed.canonical)}


def slow() -> Response:
    time.sleep(1.0)
    return Response("done")


def broken() -> Response:
    raise RuntimeError("Jane Doe, born 1954-05-01")


def conflict() -> Response:
    raise Conflict("came <b>before</b>\nwith other content", where="hookInstance")


def away() -> Response:
    raise Unavailable("the database is away", retry_after_s=7)


def load() -> Gateway:
    logs.configure(None)
    return Gateway(
        lambda: (create_app().wsgi_app, lambda: print("drained", flush=True)),
        max_body_bytes=MAX_BODY_BYTES,
        body_deadline_s=float(sys.argv[2]),
    )


if __name__ == "__main__":
    serve_gateway(load, ("127.0.0.1", int(sys.argv[1])))
