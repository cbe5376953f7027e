"""What every address needs of the request at hand: the runtime, the body as strict JSON, the language, the reply."""

from __future__ import annotations

from typing import cast

import msgspec
from flask import Response, current_app, request

from cds_service.domain.actor import Actor
from cds_service.errors import UnsupportedMedia
from cds_service.i18n import negotiate
from cds_service.runtime import Runtime
from cds_service.web import strict_json

JSON = "application/json"
FHIR_JSON = "application/fhir+json"

_encode = msgspec.json.Encoder().encode


def runtime() -> Runtime:
    """The runtime of this application."""
    return cast(Runtime, current_app.extensions["cds"])


def language(actor: Actor | None = None) -> str:
    """The language set for this client, else the one of ours that the request likes best."""
    if actor is not None and actor.language is not None:
        return actor.language
    return negotiate(request.headers.get("Accept-Language"))


def read_json(*, media: frozenset[str] = frozenset({JSON, FHIR_JSON})) -> strict_json.Parsed:
    """The body as strict JSON; UnsupportedMedia for another type, MalformedJson naming the place otherwise."""
    if request.mimetype not in media:
        raise UnsupportedMedia(f"send {' or '.join(sorted(media))}", where="Content-Type")
    return strict_json.parse(request.get_data(cache=False))


def json_response(document: object, *, media: str = JSON, status: int = 200) -> Response:
    """A JSON reply; bytes are taken as JSON already."""
    body = document if isinstance(document, bytes) else _encode(document)
    return Response(body, status=status, content_type=media)
