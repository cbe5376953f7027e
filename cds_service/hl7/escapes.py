"""Escape sequences of HL7 v2 text, resolved once, after the text was taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

# No sequence read here is longer; what stands between two escape characters further apart is text.
_LONGEST = 200
_HEXADECIMAL = re.compile(r"X(?:[0-9A-Fa-f]{2})+")


def unescape(text: str, escape: str, letters: Mapping[str, str], encoding: str) -> str:
    """The text with its sequences resolved; one that is not known stays as it was sent.

    `letters` says what each sequence stands for beside hexadecimal characters, which are of the set `encoding`.
    """

    def resolved(match: re.Match[str]) -> str:
        return letters.get(match[1]) or _characters(match[1], encoding) or match[0]

    return _pattern(escape).sub(resolved, text)


@lru_cache(maxsize=16)
def _pattern(escape: str) -> re.Pattern[str]:
    mark = re.escape(escape)
    return re.compile(rf"{mark}([^{mark}]{{1,{_LONGEST}}}){mark}")


def _characters(sequence: str, encoding: str) -> str:
    """The characters of a hexadecimal sequence; nothing when they are none, or a NUL no database takes."""
    if not _HEXADECIMAL.fullmatch(sequence):
        return ""
    try:
        text = bytes.fromhex(sequence[1:]).decode(encoding)
    except UnicodeDecodeError:
        return ""
    return "" if "\0" in text else text
