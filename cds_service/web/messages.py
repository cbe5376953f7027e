"""HL7 v2 over HTTP: one message in, its acknowledgment out, by the use case MLLP has."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from flask import Blueprint, Response, request

from cds_service.errors import UnsupportedMedia
from cds_service.services.receive_message import receive_message
from cds_service.web.access import authenticate
from cds_service.web.context import runtime, token_use

messages = Blueprint("messages", __name__)

ER7 = "application/hl7-v2"
_MEDIA = (ER7, "x-application/hl7-v2+er7", "text/plain")


@messages.post("/hl7/v2")
def take_message() -> Response:
    """The acknowledgment of one message, once it is stored; the application's where the sender asks for two."""
    process = runtime()
    actor = authenticate(process)
    if request.mimetype not in _MEDIA:
        raise UnsupportedMedia(f"send {' or '.join(_MEDIA)}", where="Content-Type")
    raw = request.get_data(cache=False)
    intake = replace(process.beside.intake, submit=partial(process.writer.submit_change, token=token_use()))
    reply = receive_message(raw, actor, intake, at=process.now())
    return Response(reply.application or reply.accept or b"", content_type=ER7)
