"""The floor: a bare Flask view on the same server, which reads the body and returns a card-sized reply."""

from __future__ import annotations

from flask import Flask, Response, request

_REPLY = b'{"cards":[{"summary":"' + b"x" * 3000 + b'"}]}'


def create() -> Flask:
    """The application of the floor."""
    app = Flask("bare", static_folder=None)

    @app.post("/bare")
    def bare() -> Response:
        request.get_data(cache=False)
        return Response(_REPLY, content_type="application/json")

    return app
