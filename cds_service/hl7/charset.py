"""The character set of a message (MSH-18, HL7 table 0211) and its text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from cds_service.errors import InvalidMessage

# Table 0211 and the spellings senders use instead. ISO 8859-12 does not exist. Sets that hold NUL bytes in plain text
# (UTF-16, UTF-32) cannot be framed and are not read.
ENCODINGS: Mapping[str, str] = MappingProxyType(
    {f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 12), 13, 14, 15)}
    | dict.fromkeys(("UNICODE UTF-8", "UNICODE", "UTF-8", "UTF8"), "utf-8")
    | {
        "GB 18030-2000": "gb18030",
        "BIG-5": "big5",
        "KS X 1001": "euc_kr",
        "ISO IR87": "iso2022_jp",
    }
)
# Said of messages that hold more: nothing is lost by reading them as if nothing was said.
_ASCII = frozenset({"", "ASCII", "US-ASCII", "ISO IR6"})
# MSH-17 (country) one field late.
_COUNTRY = re.compile(r"[A-Z]{2,3}")


class Decoded(NamedTuple):
    """The text, the Python name of the set it was read with, and remarks on it."""

    text: str
    encoding: str
    remarks: tuple[str, ...] = ()


def decode(raw: bytes, declared: str) -> Decoded:
    """The text of a message by its declared set; InvalidMessage when that is unknown or the bytes are not of it.

    Where none is declared, or ASCII, UTF-8 is read, and Latin-1 with a remark when the bytes are not UTF-8.
    """
    name = declared.strip().upper()
    if name in _ASCII or (_COUNTRY.fullmatch(name) and name not in ENCODINGS):
        return _undeclared(raw, ("charset-is-country",) if name not in _ASCII else ())
    encoding = ENCODINGS.get(name)
    if encoding is None:
        raise InvalidMessage(f"is not one of {', '.join(ENCODINGS)}", where="MSH-18", code=103)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        raise InvalidMessage("the bytes are not of the character set named here", where="MSH-18", code=102) from None
    is_doubtful = encoding.startswith("iso8859") and not raw.isascii() and _is_utf8(raw)
    return Decoded(text, encoding, ("charset-doubtful",) if is_doubtful else ())


def _undeclared(raw: bytes, remarks: tuple[str, ...]) -> Decoded:
    try:
        return Decoded(raw.decode("utf-8"), "utf-8", remarks)
    except UnicodeDecodeError:
        return Decoded(raw.decode("latin-1"), "latin-1", (*remarks, "charset-guessed"))


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
