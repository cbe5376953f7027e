"""One whole request through a WSGI application: its environ from RSGI's scope and a body in memory, its answer back."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

from cds_service.stages import turn

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

# The body beside the stream of it: to read a stream to its end takes several copies.
WHOLE_BODY = "cds.whole_body"

_KNOWN_NAMES = 256
_OWN_NAMES = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
_names: MutableMapping[str, str] = dict(_OWN_NAMES)

# PEP 3333. The server decides what is parallel; the body is whole, so its end is the end of the input.
_BASE: Environ = {
    "SCRIPT_NAME": "",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}


class Headers(Protocol):
    """RSGI's request headers, names in lower case."""

    def items(self) -> list[tuple[str, str]]:
        """Every header, repeated ones repeatedly."""

    def get(self, key: str, default: Any = None) -> Any:
        """The first header of that name."""


class Scope(Protocol):
    """RSGI's description of one request."""

    method: str
    path: str
    query_string: str
    scheme: str
    server: str
    client: str

    @property
    def headers(self) -> Headers:
        """The request's headers."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back: status, headers and the whole body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def call(application: Application, scope: Scope, body: bytes) -> Answer:
    """The application's answer to the request; what it raises is raised."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], None]:
        started[:] = [(status, headers)]
        return _no_write

    chunks = application(environ(scope, body), start_response)
    try:
        content = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    turn()
    status, headers = started[0]
    return Answer(int(status[:3]), headers, content)


def environ(scope: Scope, body: bytes) -> Environ:
    """The WSGI environ of the request (PEP 3333); a name with an underscore could pose as another and is left out."""
    values = _BASE.copy()
    for name, value in scope.headers.items():
        key = _names.get(name) or _environ_name(name)
        values[key] = f"{values[key]},{value}" if key in values else value
    values.pop("", None)
    host, _, port = scope.server.rpartition(":")
    path = scope.path
    values["REQUEST_METHOD"] = scope.method
    values["PATH_INFO"] = path if path.isascii() else path.encode("utf-8", "surrogateescape").decode("latin-1")
    values["QUERY_STRING"] = scope.query_string
    values["SERVER_NAME"] = host
    values["SERVER_PORT"] = port
    values["REMOTE_ADDR"] = scope.client.rpartition(":")[0]
    values["CONTENT_LENGTH"] = str(len(body))
    values["wsgi.url_scheme"] = scope.scheme
    values["wsgi.input"] = io.BytesIO(body)
    values[WHOLE_BODY] = body
    return values


def _environ_name(name: str) -> str:
    key = "" if "_" in name else "HTTP_" + name.upper().replace("-", "_")
    if len(_names) < _KNOWN_NAMES:  # senders choose the names: remember some, never all
        _names[name] = key
    return key


def _no_write(_data: bytes) -> None:
    raise NotImplementedError("PEP 3333's write() is not offered")
