"""Strict JSON from request bytes: one document, one meaning, stated limits, and a canonical text to hash.

Reading is left to C code; Python only compares. Duplicate members are found by counting colons: what a parser
dropped is missing from the re-encoded text. Depth is found by re-encoding inside as many lists as bring the
encoder to its own fixed limit. Only a refused document is walked in Python, to say where it is wrong.
Measured against the alternatives in docs/decisions/strict-json.md.
"""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import orjson

from cds_service.errors import MalformedJson, TooLarge
from cds_service.web.json_faults import MAX_DEPTH, find_fault

MAX_BODY_BYTES = 1024 * 1024
AUTHORIZATION = "fhirAuthorization"

_ENCODER_DEPTH = 254  # orjson's own limit on containers inside one another; a test fails should a release move it
_WRAPPERS = _ENCODER_DEPTH - MAX_DEPTH

_COLON = ord(":")
# Escapes that colon counting cannot see through: U+003A is a colon, U+0000 is refused.
_TELLING_ESCAPE = re.compile(rb"\\u00(?:3[aA]|00)")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A strict document, and its canonical text: keys sorted, no white space, `fhirAuthorization` left out."""

    document: Any
    canonical: bytes


class _Nest(threading.local):
    """Lists inside one another, one set a thread; the innermost holds what is being encoded."""

    def __init__(self) -> None:
        self.innermost: list[Any] = [None]
        self.outermost = self.innermost
        for _ in range(_WRAPPERS - 1):
            self.outermost = [self.outermost]


_nest = _Nest()


def parse(body: bytes, *, max_bytes: int = MAX_BODY_BYTES) -> Parsed:
    """The document in `body`; TooLarge over `max_bytes`, MalformedJson with the place for anything not strict."""
    if len(body) > max_bytes:
        raise TooLarge(f"the body is larger than {max_bytes} bytes")
    try:
        document = msgspec.json.decode(body)
        rest, authorization = _split(document)
        canonical = _encode(rest)
        colons = _colons(canonical) + (_colons(_encode(authorization)) if authorization else 0)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, orjson.JSONEncodeError):
        raise _malformed(body) from None
    if (_colons(body) != colons or (b"\\" in body and _TELLING_ESCAPE.search(body))) and (fault := find_fault(body)):
        raise MalformedJson(fault.text, where=fault.where)
    return Parsed(document, canonical)


def content_hash(parsed: Parsed) -> bytes:
    """SHA-256 of the canonical text: equal for a retry with a fresh token, other spacing or another key order."""
    return hashlib.sha256(parsed.canonical).digest()


def _split(document: Any) -> tuple[Any, dict[str, Any] | None]:
    if not isinstance(document, dict) or AUTHORIZATION not in document:
        return document, None
    rest = document.copy()
    return rest, {AUTHORIZATION: rest.pop(AUTHORIZATION)}


def _colons(text: bytes) -> int:
    """How many there are; `bytes.count` stops at each and takes twice as long."""
    return int(np.count_nonzero(np.frombuffer(text, dtype=np.uint8) == _COLON))


def _encode(value: Any) -> bytes:
    """Canonical text of `value`; orjson.JSONEncodeError over MAX_DEPTH or for an integer over 64 bits."""
    _nest.innermost[0] = value
    try:
        return orjson.dumps(_nest.outermost, option=orjson.OPT_SORT_KEYS)[_WRAPPERS:-_WRAPPERS]
    finally:
        _nest.innermost[0] = None


def _malformed(body: bytes) -> MalformedJson:
    fault = find_fault(body)
    return MalformedJson(fault.text, where=fault.where) if fault else MalformedJson("the body is not strict JSON")
