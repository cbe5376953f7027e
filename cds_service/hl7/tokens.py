"""Bytes to segments: limits on the raw bytes first, then every line accounted for."""

from __future__ import annotations

import re
from typing import NamedTuple

from cds_service.errors import InvalidMessage
from cds_service.hl7.charset import decode
from cds_service.hl7.syntax import Syntax

# Chosen by us: the largest observation messages met hold some hundred segments; a flood has thousands, in few bytes.
MAX_BYTES = 1024 * 1024
MAX_SEGMENTS = 2000
MAX_FIELDS = 50_000
MAX_REPETITIONS = 4_000
MAX_COMPONENTS = 16_000

# "Delete what you have": differs from an empty field, which says nothing.
NULL = '""'

# NUL breaks databases; the two frame characters of MLLP can be in no message.
_FORBIDDEN = re.compile(rb"[\x00\x0b\x1c]")
_SEGMENT_ID = re.compile(r"[A-Z][A-Z0-9]{2}")
_STRAY_SEGMENT = re.compile(r"\n[A-Z][A-Z0-9]{2}[^\sA-Za-z0-9]")


class Segment:
    """One segment; `number` counts those of its kind from 1. Fields count from 1, as the standard numbers them.

    `fields` are as they were sent: most are never asked for, so blanks around one are taken off when it is.
    """

    __slots__ = ("fields", "id", "number", "syntax")

    def __init__(self, kind: str, fields: list[str], number: int, syntax: Syntax) -> None:
        self.id = kind
        self.fields = fields
        self.number = number
        self.syntax = syntax

    @property
    def place(self) -> str:
        """`OBX[3]`, as it is called in a reason or an error."""
        return f"{self.id}[{self.number}]"

    def field(self, number: int) -> str:
        """The whole field as it was sent without the blanks around it, empty when it was not."""
        try:
            return self.fields[number].strip()
        except IndexError:
            return ""

    def repetitions(self, number: int) -> list[str]:
        """The repetitions of a field as they were sent; none of an empty field."""
        sent = self.field(number)
        return sent.split(self.syntax.repetition) if sent else []

    def components(self, number: int) -> list[str]:
        """The text of each component of the first repetition."""
        return self.syntax.components(self.field(number).partition(self.syntax.repetition)[0])

    def part(self, number: int, component: int = 1) -> str:
        """The text of one component of the first repetition; empty, too, where null was sent."""
        sent = self.field(number)
        if sent.isalnum():  # holds no delimiter, since none is a letter or digit
            return sent if component == 1 else ""
        if not sent or sent == NULL:
            return ""
        syntax = self.syntax
        parts = sent.partition(syntax.repetition)[0].split(syntax.component, component)
        return syntax.text(parts[component - 1].partition(syntax.subcomponent)[0]) if component <= len(parts) else ""


class Tokens(NamedTuple):
    """The segments of one message in their order, how many lines were none, and remarks on how it was sent."""

    segments: list[Segment]
    unreadable: int
    remarks: set[str]


def tokenize(raw: bytes, syntax: Syntax, *, declared: str) -> Tokens:
    """The segments of one message; `declared` is MSH-18. InvalidMessage names what cannot be read."""
    check_limits(raw, syntax)
    if _FORBIDDEN.search(raw):
        raise InvalidMessage("holds NUL or a frame character", where="MSH", code=102)
    decoded = decode(raw, declared)
    remarks = set(decoded.remarks)
    if decoded.encoding != syntax.encoding:
        syntax = syntax._replace(encoding=decoded.encoding)
    tokens = _segments(_lines(decoded.text, remarks), syntax, remarks)
    if any(segment.id == "MSH" for segment in tokens.segments[1:]):
        raise InvalidMessage("two messages in one; send each by itself", where="MSH[2]", code=100)
    tokens.segments[0].fields.insert(1, syntax.field)
    return tokens


def check_limits(raw: bytes, syntax: Syntax) -> None:
    """Refuse what would cost too much to take apart: counts on the bytes, linear and quick."""
    limits = (
        (len(raw), MAX_BYTES, "bytes"),
        (max(raw.count(b"\r"), raw.count(b"\n")), MAX_SEGMENTS, "segments"),
        (raw.count(syntax.field.encode()), MAX_FIELDS, "fields"),
        (raw.count(syntax.repetition.encode()), MAX_REPETITIONS, "repetitions"),
        (raw.count(syntax.component.encode()), MAX_COMPONENTS, "components"),
        (raw.count(syntax.subcomponent.encode()), MAX_COMPONENTS, "subcomponents"),
    )
    for count, limit, name in limits:
        if count > limit:
            raise InvalidMessage(f"more than {limit} {name}; send it in parts", where="MSH", code=207)


def _segments(lines: list[str], syntax: Syntax, remarks: set[str]) -> Tokens:
    segments: list[Segment] = []
    seen: dict[str, int] = {}
    unreadable = 0
    for line in lines:
        if not line or line.isspace():
            continue
        fields = line.split(syntax.field)
        kind = fields[0].strip()
        if kind in seen or _SEGMENT_ID.fullmatch(kind):
            number = seen[kind] = seen.get(kind, 0) + 1
            segments.append(Segment(kind, fields, number, syntax))
        else:
            unreadable += 1
            remarks.add("segment-unreadable")
    return Tokens(segments, unreadable, remarks)


def _lines(text: str, remarks: set[str]) -> list[str]:
    """Split at carriage returns, with a line feed after one tolerated; at line feeds where there is no return."""
    if "\n" not in text:
        return text.split("\r")
    remarks.add("line-feed-ends")
    if "\r" not in text:
        return text.split("\n")
    lines = [line.removeprefix("\n") for line in text.split("\r")]
    if any(_STRAY_SEGMENT.search(line) for line in lines):
        text = "a line feed stands where a segment seems to begin: end every segment alike"
        raise InvalidMessage(text, where="MSH", code=100)
    return lines
