"""Where and why a text is not strict JSON: the exact, slow reading, taken only when the fast one refuses or doubts."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 32

_DECIMAL_DIGITS = 20  # of 2**64 - 1, the largest integer taken
_SHOWN_KEY_LENGTH = 40
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong and where: `where` is a path such as `prefetch.vitals.entry[3]`, or a line and column."""

    text: str
    where: str


@dataclass(frozen=True, slots=True)
class _Refused:
    """Stands in a parsed document for a value that strict JSON refuses."""

    text: str


def find_fault(body: bytes) -> Fault | None:
    """The first fault in `body`, or None when it is one strict JSON document."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        return Fault("not valid UTF-8", f"byte {error.start}")
    if text.startswith("\ufeff"):
        return Fault("starts with a byte order mark, which JSON does not allow", "byte 0")
    try:
        document = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        return Fault(_sentence(error), f"line {error.lineno} column {error.colno}")
    except RecursionError:
        return Fault(_TOO_DEEP, "")
    return next(_faults(document), None)


def _sentence(error: json.JSONDecodeError) -> str:
    if not error.doc.strip(" \t\r\n"):
        return "the body is empty; one JSON document is expected"
    if error.msg == "Extra data":
        return "more follows after the document; one JSON document is expected"
    if error.pos >= len(error.doc.rstrip()):
        return "the document ends too early"
    return f"not JSON: {error.msg[0].lower()}{error.msg[1:]}"


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        members[key] = _Refused("the member occurs twice in its object") if key in members else value
    return members


def _integer(digits: str) -> int | _Refused:
    if len(digits) <= _DECIMAL_DIGITS and -(2**63) <= int(digits) < 2**64:
        return int(digits)
    return _Refused("an integer of more than 64 bits")


def _number(digits: str) -> float | _Refused:
    number = float(digits)
    return number if math.isfinite(number) else _Refused("a number too large for a double")


def _constant(name: str) -> _Refused:
    return _Refused(f"{name} is not a JSON value")


_TOO_DEEP = f"objects and lists lie more than {MAX_DEPTH} deep in one another"
_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_integer, parse_float=_number, parse_constant=_constant
)


def _faults(document: Any) -> Iterator[Fault]:
    """Every fault of a document read by `_DECODER`, nearest to its start first."""
    ahead: list[tuple[str, int, Any]] = [("", 1, document)]
    while ahead:
        path, depth, value = ahead.pop()
        if isinstance(value, _Refused):
            yield Fault(value.text, path)
        elif isinstance(value, str):
            yield from _string_faults(value, path)
        elif isinstance(value, dict | list):
            if depth > MAX_DEPTH:
                yield Fault(_TOO_DEEP, path)
                continue
            yield from _key_faults(value, path)
            ahead.extend(reversed([(step, depth + 1, inner) for step, inner in _steps(value, path)]))


def _key_faults(container: dict[str, Any] | list[Any], path: str) -> Iterator[Fault]:
    for key in container if isinstance(container, dict) else ():
        yield from _string_faults(key, path)


def _string_faults(text: str, path: str) -> Iterator[Fault]:
    if "\x00" in text:
        yield Fault("a string holds the character U+0000", path)
    if _SURROGATE.search(text):
        yield Fault("a string holds half of a surrogate pair", path)


def _steps(container: dict[str, Any] | list[Any], path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(container, list):
        yield from ((f"{path}[{index}]", inner) for index, inner in enumerate(container))
        return
    for key, inner in container.items():
        shown = key[:_SHOWN_KEY_LENGTH].encode("utf-8", "replace").decode()
        yield f"{path}.{shown}" if path else shown, inner
