"""What every address needs of the request at hand: the runtime, the body as strict JSON, the language, the reply."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from hashlib import sha256
from http import HTTPStatus
from typing import Any, cast

import msgspec
from flask import Response, current_app, request

from cds_service.domain.actor import Actor
from cds_service.errors import BadRequest, UnsupportedMedia
from cds_service.i18n import negotiate
from cds_service.monitoring.budget import Allowance
from cds_service.runtime import Runtime
from cds_service.storage.token_log import TokenUse
from cds_service.web import strict_json
from cds_service.web.wsgi_call import WHOLE_BODY

JSON = "application/json"
FHIR_JSON = "application/fhir+json"

_RUNTIME = "cds.runtime"
_USE = "cds.token_use"
_ALLOWANCE = "cds.allowance"
_CALLER = "cds.caller"

# The environ of the request at hand. Flask's proxies lead to it too, at a price that a call would pay 30 times.
_at_hand: ContextVar[dict[str, Any]] = ContextVar("request_at_hand")

# Who somebody is: proxies on the way, and browsers, keep addresses.
_NAMES_SOMEBODY = frozenset({"patient_id", "patient_name", "spo2_scale_by"})

_encode = msgspec.json.Encoder().encode


def begin_request() -> dict[str, Any]:
    """The environ of the request that Flask begins with; what follows asks for it here."""
    environ = request.environ
    environ[_RUNTIME] = current_app.extensions["cds"]
    _at_hand.set(environ)
    return environ


def end_request() -> None:
    """Let go of the request: threads outlive it."""
    _at_hand.set({})


def environ_at_hand() -> dict[str, Any]:
    """The environ of the request at hand."""
    return _at_hand.get()


def runtime() -> Runtime:
    """The runtime of this application."""
    return cast(Runtime, _at_hand.get()[_RUNTIME])


def token_use() -> TokenUse | None:
    """The use of the token this request shows, stored by whatever the request stores; None where none is needed."""
    return cast(TokenUse | None, _at_hand.get().get(_USE))


def retry_key() -> str | None:
    """What a transport retry of this request has in common with it where the body names nothing: its token."""
    use = token_use()
    return None if use is None else sha256(f"{use.issuer}\n{use.jti}".encode()).hexdigest()


def keep_token_use(use: TokenUse) -> None:
    """Leave the use of this request's token for what the request stores."""
    _at_hand.get()[_USE] = use


def keep_allowance(left: Allowance) -> None:
    """Leave what is left of this client's minute for the answer's headers."""
    _at_hand.get()[_ALLOWANCE] = left


def keep_caller(actor: Actor) -> None:
    """Leave who calls, for the count of its answer."""
    _at_hand.get()[_CALLER] = actor


def caller() -> Actor | None:
    """Who calls; None where that is not known, or nobody asked."""
    return cast(Actor | None, _at_hand.get().get(_CALLER))


def allowance() -> Allowance | None:
    """What is left of this client's minute; None where nobody was let in."""
    return cast(Allowance | None, _at_hand.get().get(_ALLOWANCE))


def language(actor: Actor | None = None) -> str:
    """The language set for this client, else the one of ours that the request likes best."""
    if actor is not None and actor.language is not None:
        return actor.language
    return negotiate(_at_hand.get().get("HTTP_ACCEPT_LANGUAGE"))


def read_json(*, media: frozenset[str] = frozenset({JSON, FHIR_JSON})) -> strict_json.Parsed:
    """The body as strict JSON; UnsupportedMedia for another type, MalformedJson naming the place otherwise."""
    environ = _at_hand.get()
    if environ.get("CONTENT_TYPE") not in media and request.mimetype not in media:
        raise UnsupportedMedia(f"send {' or '.join(sorted(media))}", where="Content-Type")
    body = environ.get(WHOLE_BODY)
    return strict_json.parse(request.get_data(cache=False) if body is None else body)


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
    return _Whole(body, status=status, content_type=media)


class _Whole(Response):
    """An answer that is one piece of bytes, with nothing in its headers that depends on the request."""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """The answer as it is: no header is corrected, nothing is to be closed."""
        if self.status_code != HTTPStatus.OK or environ["REQUEST_METHOD"] == "HEAD":
            return super().__call__(environ, start_response)
        start_response(self.status, self.headers.to_wsgi_list())
        return cast(Iterable[bytes], self.response)


def wants_page() -> bool:
    """Whether a browser asks: it names HTML before JSON and proves nobody by a header."""
    if "Authorization" in request.headers:
        return False
    return request.accept_mimetypes.best_match([JSON, "text/html"]) == "text/html"


def see_other(address: str) -> Response:
    """Go on at another address of ours."""
    return Response(status=303, headers={"Location": address, "Cache-Control": "no-store"})
