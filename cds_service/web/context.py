"""What every address needs of the request at hand: the runtime, the body as strict JSON, the language, the reply."""

from __future__ import annotations

from hashlib import sha256
from typing import cast

import msgspec
from flask import Response, current_app, request

from cds_service.domain.actor import Actor
from cds_service.errors import BadRequest, UnsupportedMedia
from cds_service.i18n import negotiate
from cds_service.monitoring.budget import Allowance
from cds_service.runtime import Runtime
from cds_service.storage.token_log import TokenUse
from cds_service.web import strict_json

JSON = "application/json"
FHIR_JSON = "application/fhir+json"

_USE = "cds.token_use"
_ALLOWANCE = "cds.allowance"
_CALLER = "cds.caller"

# Who somebody is: proxies on the way, and browsers, keep addresses.
_NAMES_SOMEBODY = frozenset({"patient_id", "patient_name", "spo2_scale_by"})

_encode = msgspec.json.Encoder().encode


def runtime() -> Runtime:
    """The runtime of this application."""
    return cast(Runtime, current_app.extensions["cds"])


def token_use() -> TokenUse | None:
    """The use of the token this request shows, stored by whatever the request stores; None where none is needed."""
    return cast(TokenUse | None, request.environ.get(_USE))


def retry_key() -> str | None:
    """What a transport retry of this request has in common with it where the body names nothing: its token."""
    use = token_use()
    return None if use is None else sha256(f"{use.issuer}\n{use.jti}".encode()).hexdigest()


def keep_token_use(use: TokenUse) -> None:
    """Leave the use of this request's token for what the request stores."""
    request.environ[_USE] = use


def keep_allowance(left: Allowance) -> None:
    """Leave what is left of this client's minute for the answer's headers."""
    request.environ[_ALLOWANCE] = left


def keep_caller(actor: Actor) -> None:
    """Leave who calls, for the count of its answer."""
    request.environ[_CALLER] = actor


def caller() -> Actor | None:
    """Who calls; None where that is not known, or nobody asked."""
    return cast(Actor | None, request.environ.get(_CALLER))


def allowance() -> Allowance | None:
    """What is left of this client's minute; None where nobody was let in."""
    return cast(Allowance | None, request.environ.get(_ALLOWANCE))


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


def inert_response(document: object) -> Response:
    """A JSON reply that may repeat what people typed: characters that could start HTML are escaped."""
    return json_response(inert(_encode(document)))


def inert(body: bytes) -> bytes:
    """The same JSON without the characters that could start HTML."""
    return body.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")


def read_record() -> tuple[dict[str, object], bytes]:
    """The flat record asked about, and the hash of what was sent; BadRequest for an address that names somebody."""
    if request.method == "GET":
        if named := sorted(_NAMES_SOMEBODY & request.args.keys()):
            raise BadRequest("names somebody, and addresses are kept on the way: send it by POST", where=named[0])
        repeated = [name for name, values in request.args.lists() if len(values) > 1]
        if repeated:
            raise BadRequest("a name is given more than once", where="query")
        return dict(request.args), sha256(request.query_string).digest()
    parsed = read_json()
    if not isinstance(parsed.document, dict):
        raise BadRequest("the body must be a JSON object of names and values")
    return parsed.document, strict_json.content_hash(parsed)


def json_response(document: object, *, media: str = JSON, status: int = 200) -> Response:
    """A JSON reply; bytes are taken as JSON already."""
    body = document if isinstance(document, bytes) else _encode(document)
    return Response(body, status=status, content_type=media)


def wants_page() -> bool:
    """Whether a browser asks: it names HTML before JSON and proves nobody by a header."""
    if "Authorization" in request.headers:
        return False
    return request.accept_mimetypes.best_match([JSON, "text/html"]) == "text/html"


def see_other(address: str) -> Response:
    """Go on at another address of ours."""
    return Response(status=303, headers={"Location": address, "Cache-Control": "no-store"})
