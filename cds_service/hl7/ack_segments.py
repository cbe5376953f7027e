"""The segments of an acknowledgment, in the delimiters, version and character set of the sender, made of bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from cds_service.hl7.events import NEWEST_VERSION, VERSIONS
from cds_service.hl7.header import MAX_CONTROL_ID, Header
from cds_service.hl7.message import Fault

# More faults than this are not listed; chosen by us, so that an answer stays a few kilobytes.
MAX_FAULTS = 50
_OWN_VERSION = "2.5.1"

# HL7 table 0357 (message error condition codes).
CONDITIONS = {
    100: "Segment sequence error",
    101: "Required field missing",
    102: "Data type error",
    103: "Table value not found",
    200: "Unsupported message type",
    201: "Unsupported event code",
    202: "Unsupported processing id",
    203: "Unsupported version id",
    204: "Unknown key identifier",
    205: "Duplicate key identifier",
    206: "Application record locked",
    207: "Application internal error",
}

_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+))?")
_TRIGGER = re.compile(rb"[A-Z][A-Z0-9]{2}")
_CONTROL = b"\0\n\x0b\r\x1c"  # they end a segment or the frame around it


class _Writer:
    """Segments in the delimiters of the sender."""

    def __init__(self, header: Header | None) -> None:
        self.field = b"|" if header is None else header.sent[1]
        self.marks = b"^~\\&" if header is None else _clean(header.sent[2])
        self.component, self.repetition, self.escape, self.subcomponent = (
            self.marks[place : place + 1] for place in range(4)
        )

    def text(self, text: str) -> bytes:
        """Our own words, with delimiters escaped."""
        letters = {self.escape: b"E", self.field: b"F", self.component: b"S"}
        letters |= {self.repetition: b"R", self.subcomponent: b"T"}
        sent = text.encode("ascii", "replace")
        return b"".join(
            self.escape + letters[mark] + self.escape if (mark := bytes([byte])) in letters else mark for byte in sent
        )

    def segment(self, *fields: bytes) -> bytes:
        """The fields, without empty ones at the end, and the end of the segment."""
        return self.field.join(fields).rstrip(self.field) + b"\r"


def acknowledgment(header: Header | None, code: str, faults: Sequence[Fault], at: datetime, control_id: str) -> bytes:
    """MSH, MSA and ERR of one acknowledgment; `code` is MSA-1, `header` that of the message where it has one."""
    write = _Writer(header)
    version = _version(header)
    is_old = version in _BEFORE_ERL
    # Before 2.5 ERR has no severity: beside an acceptance a warning would read as an error.
    listed = [fault for fault in faults if fault.is_error or not is_old][:MAX_FAULTS]
    text = write.text(listed[0].text) if is_old and listed else b""
    echo = b"" if header is None else _clean(header.sent[10])[:MAX_CONTROL_ID]
    errors = _old_errors(listed, write) if is_old else [_error(fault, write) for fault in listed]
    head = _head(header, version, write, at, control_id)
    return b"".join([head, write.segment(b"MSA", code.encode(), echo, text), *errors])


_ECHOED = (3, 4, 5, 6, 11, 18)


def _head(header: Header | None, version: str, write: _Writer, at: datetime, control_id: str) -> bytes:
    """MSH with sender and receiver exchanged, in the version and character set of the sender."""
    sent = dict.fromkeys(_ECHOED, b"") if header is None else {place: _clean(header.sent[place]) for place in _ECHOED}
    replies = b"NE" if header is not None and header.is_enhanced else b""
    return write.segment(
        b"MSH",
        write.marks,
        *(sent[5], sent[6], sent[3], sent[4]),
        at.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000").encode(),
        b"",
        _type(header, version, write),
        control_id.encode(),
        sent[11] or b"P",
        version.encode(),
        b"",
        b"",
        replies,
        replies,
        b"",
        sent[18],
    )


# ERL locations and ERR-3 came with 2.5; message structures with 2.3.1, event types of ACK with 2.2.
_BEFORE_ERL = frozenset({"2.1", "2.2", "2.3", "2.3.1", "2.4"})
_BEFORE_STRUCTURE = frozenset({"2.1", "2.2", "2.3"})


def _version(header: Header | None) -> str:
    if header is None or not header.version:
        return _OWN_VERSION
    return header.version if header.version in VERSIONS else NEWEST_VERSION


def _type(header: Header | None, version: str, write: _Writer) -> bytes:
    trigger = b"" if header is None else header.trigger.encode("ascii", "replace")
    if version == "2.1" or not _TRIGGER.fullmatch(trigger):
        return b"ACK"
    parts = [b"ACK", trigger] if version in _BEFORE_STRUCTURE else [b"ACK", trigger, b"ACK"]
    return write.component.join(parts)


def _error(fault: Fault, write: _Writer) -> bytes:
    """ERR since 2.5: place, condition, severity, and a text for the user."""
    condition = write.component.join([str(fault.code).encode(), write.text(CONDITIONS[fault.code]), b"HL70357"])
    severity = b"E" if fault.is_error else b"W"
    text = write.text(f"{fault.where}: {fault.text}" if fault.where else fault.text)
    return write.segment(b"ERR", b"", _location(fault.where, write), condition, severity, b"", b"", b"", text)


def _old_errors(faults: Sequence[Fault], write: _Writer) -> list[bytes]:
    """ERR before 2.5: one segment, a repetition of place and condition for each fault."""
    if not faults:
        return []
    sent = []
    for fault in faults:
        place = _location(fault.where, write).split(write.component)
        place += [b""] * (3 - len(place))
        condition = write.subcomponent.join([str(fault.code).encode(), write.text(CONDITIONS[fault.code])])
        sent.append(write.component.join([*place[:3], condition]))
    return [write.segment(b"ERR", write.repetition.join(sent))]


def _location(where: str, write: _Writer) -> bytes:
    """`OBX[3]-5` as segment, its number, and field."""
    match = _PLACE.fullmatch(where)
    if match is None:
        return b""
    segment, number, field = match.groups()
    parts = [segment, number or "1", field] if field else [segment, number or "1"]
    return write.component.join(part.encode() for part in parts)


def _clean(field: bytes) -> bytes:
    """A field to echo: as it was sent, but for characters no field can hold."""
    return field.translate(None, _CONTROL)
