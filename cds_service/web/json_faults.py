"""Where and why a text is not strict JSON: the exact reading, taken only when the fast one refuses or doubts.

Anyone may send what is refused, so this costs a few plain readings of the body: leaves are looked up by type, and a
path is put together only for the fault that is found.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

MAX_DEPTH = 32

_DECIMAL_DIGITS = 20  # of 2**64 - 1, the largest integer taken
_SHOWN_KEY_LENGTH = 40
_ODD = re.compile("[\x00\ud800-\udfff]")
# Raw, such characters are no JSON and no UTF-8: a string can hold one only where the text has such an escape.
_ODD_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")

_Step = str | int
_Checks = Mapping[type, Callable[[Any], str | None]]


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
        document = _decoded(text)
    except json.JSONDecodeError as error:
        return Fault(_sentence(error), f"line {error.lineno} column {error.colno}")
    except RecursionError:
        return Fault(_TOO_DEEP, "")
    return _first_fault(document, _CHECKS if _ODD_ESCAPE.search(text) else _CHECKS_BUT_STRINGS)


def _sentence(error: json.JSONDecodeError) -> str:
    if not error.doc.strip(" \t\r\n"):
        return "the body is empty; one JSON document is expected"
    if error.msg == "Extra data":
        return "more follows after the document; one JSON document is expected"
    if error.pos >= len(error.doc.rstrip()):
        return "the document ends too early"
    return f"not JSON: {error.msg[0].lower()}{error.msg[1:]}"


def _decoded(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer of more digits than Python reads
        return _DECODER_OF_LONG_INTEGERS.decode(text)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                members[key] = _Refused("the member occurs twice in its object")
            seen.add(key)
    return members


def _short_integer(digits: str) -> int | _Refused:
    return int(digits) if len(digits) <= _DECIMAL_DIGITS else _Refused(_TOO_LONG)


def _constant(name: str) -> _Refused:
    return _Refused(f"{name} is not a JSON value")


_TOO_DEEP = f"objects and lists lie more than {MAX_DEPTH} deep in one another"
_TOO_LONG = "an integer of more than 64 bits"
_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_constant)
_DECODER_OF_LONG_INTEGERS = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=_short_integer, parse_constant=_constant
)


def _integer_fault(value: int) -> str | None:
    return None if -(2**63) <= value < 2**64 else _TOO_LONG


def _number_fault(value: float) -> str | None:
    return None if math.isfinite(value) else "a number too large for a double"


def _string_fault(value: str) -> str | None:
    odd = _ODD.search(value)
    if odd is None:
        return None
    return "a string holds the character U+0000" if odd[0] == "\x00" else "a string holds half of a surrogate pair"


# What can be wrong with a value of each type; of the others nothing can.
_CHECKS_BUT_STRINGS: _Checks = {int: _integer_fault, float: _number_fault, _Refused: attrgetter("text")}
_CHECKS: _Checks = {**_CHECKS_BUT_STRINGS, str: _string_fault}


def _first_fault(document: Any, checks: _Checks) -> Fault | None:
    """The fault of a decoded document that is nearest to its start; an object's keys come before its values."""
    levels: list[Iterator[tuple[_Step, Any]]] = [iter([("", document)])]
    path: list[_Step] = []
    while levels:
        for step, value in levels[-1]:
            if isinstance(value, dict | list):
                text = _TOO_DEEP if len(levels) > MAX_DEPTH else _key_fault(value, checks)
                if text is None and value:
                    path.append(step)
                    levels.append(iter(value.items() if isinstance(value, dict) else enumerate(value)))
                    break
            else:
                check = checks.get(type(value))
                text = None if check is None else check(value)
            if text is not None:
                return Fault(text, _shown([*path, step]))
        else:
            levels.pop()
            del path[len(levels) - 1 :]
    return None


def _key_fault(container: dict[str, Any] | list[Any], checks: _Checks) -> str | None:
    if str not in checks or isinstance(container, list):
        return None
    return next((text for key in container if (text := _string_fault(key))), None)


def _shown(path: list[_Step]) -> str:
    """The path as text, such as `prefetch.vitals.entry[3]`, keys cut short."""
    parts = [f"[{step}]" if isinstance(step, int) else f".{_bounded(step)}" for step in path[1:]]
    return "".join(parts).removeprefix(".")


def _bounded(key: str) -> str:
    return key[:_SHOWN_KEY_LENGTH].encode("utf-8", "replace").decode()
