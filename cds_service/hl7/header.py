"""The header of a message: read from its bytes alone, so that even what is refused can be acknowledged."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cds_service.domain.text import MAX_NAME, bounded
from cds_service.errors import InvalidMessage
from cds_service.hl7.syntax import Syntax, syntax_of

# MSA-2 holds up to 199 characters (2.7); a longer control id is refused rather than cut.
MAX_CONTROL_ID = 199
# What is looked at of the first segment; no header met is longer than a tenth of it.
_LONGEST_HEADER = 16_384
_LINE_END = re.compile(rb"[\r\n]")
_LAST_FIELD = 25
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ACKNOWLEDGMENTS = frozenset({"ACK", "MCF", "NAK"})


@dataclass(frozen=True, slots=True)
class Header:
    """What MSH says. `sent` are its fields as bytes, `sent[10]` being MSH-10: an acknowledgment echoes them unchanged.

    `trigger` is the event (R01), `structure` the message structure where it was named. `is_production` is true only of
    processing id P.
    """

    sent: tuple[bytes, ...]
    syntax: Syntax
    sending_application: str
    sending_facility: str
    time: str
    type: str
    trigger: str
    structure: str
    control_id: str
    processing_id: str
    version: str
    accept_when: str
    apply_when: str
    charset: str
    is_acknowledgment: bool

    @property
    def is_production(self) -> bool:
        """Whether the message is of real patients: neither training nor debugging."""
        return self.processing_id == "P"

    @property
    def is_enhanced(self) -> bool:
        """Whether the sender asks for enhanced acknowledgment: MSH-15 or MSH-16 says when."""
        return bool(self.accept_when or self.apply_when)

    @property
    def sender(self) -> str:
        """Sending application and facility, as the site file names a sender: `MONITOR|ED`."""
        return f"{self.sending_application}|{self.sending_facility}"


def without_mark(raw: bytes) -> bytes:
    """The message without a UTF-8 byte order mark and blank lines before it."""
    return raw.removeprefix(_BYTE_ORDER_MARK).lstrip(b"\r\n")


def header_of(raw: bytes) -> Header:
    """The header of a message; InvalidMessage when its first segment is none."""
    syntax = syntax_of(raw)
    end = _LINE_END.search(raw, 0, _LONGEST_HEADER)
    line = raw[: end.start() if end else _LONGEST_HEADER]
    fields = line.split(syntax.field.encode())
    fields.insert(1, syntax.field.encode())
    fields += [b""] * (_LAST_FIELD - len(fields))
    kind = _components(fields[9], syntax)
    return Header(
        sent=tuple(fields[:_LAST_FIELD]),
        syntax=syntax,
        sending_application=_first(fields[3], syntax),
        sending_facility=_first(fields[4], syntax),
        time=_first(fields[7], syntax),
        type=kind[0].upper(),
        trigger=kind[1].upper(),
        structure=kind[2].upper(),
        control_id=_text(fields[10]),
        processing_id=_first(fields[11], syntax),
        version=_first(fields[12], syntax),
        accept_when=_first(fields[15], syntax),
        apply_when=_first(fields[16], syntax),
        charset=_text(fields[18]).partition(syntax.repetition)[0].strip(),
        is_acknowledgment=kind[0].upper() in _ACKNOWLEDGMENTS or _answers(raw, syntax),
    )


def _answers(raw: bytes, syntax: Syntax) -> bool:
    """Whether a message holds MSA, and so is an answer whatever its type says."""
    field = syntax.field.encode()
    return any(raw.find(end + b"MSA" + field, 0, _LONGEST_HEADER) >= 0 for end in (b"\r", b"\n"))


def peek(raw: bytes) -> Header | None:
    """The header as far as it can be read; None when the bytes do not begin with one."""
    try:
        return header_of(without_mark(raw))
    except InvalidMessage:
        return None


def _text(field: bytes) -> str:
    """A field as text: UTF-8 where it is, else byte by byte; the rest of the message is read by its own set."""
    try:
        text = field.decode("utf-8")
    except UnicodeDecodeError:
        text = field.decode("latin-1")
    return bounded(text.strip(), MAX_NAME)


def _components(field: bytes, syntax: Syntax) -> list[str]:
    parts = syntax.components(_text(field).partition(syntax.repetition)[0])
    return [*parts, "", ""]


def _first(field: bytes, syntax: Syntax) -> str:
    is_plain = not field or field.isalnum()
    return field.decode() if is_plain and len(field) <= MAX_NAME else _components(field, syntax)[0]
