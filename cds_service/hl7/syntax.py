"""The delimiters a message declares in MSH-1 and MSH-2, and how they take a field apart."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from cds_service.errors import InvalidMessage
from cds_service.hl7.escapes import unescape

_BATCH = (b"FHS", b"BHS")


class Syntax(NamedTuple):
    """The delimiters of one message, and the Python name of its character set."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    encoding: str = "utf-8"

    def text(self, sent: str) -> str:
        """What was sent without the blanks around it, its escape sequences resolved."""
        sent = sent.strip()
        if self.escape not in sent:
            return sent
        letters = {
            "F": self.field,
            "S": self.component,
            "T": self.subcomponent,
            "R": self.repetition,
            "E": self.escape,
            ".br": "\n",
        }
        return unescape(sent, self.escape, letters, self.encoding)

    def components(self, sent: str) -> list[str]:
        """The text of each component of one repetition; of several subcomponents the first counts."""
        return [self.text(part.partition(self.subcomponent)[0]) for part in sent.split(self.component)]

    def subcomponents(self, sent: str, component: int) -> list[str]:
        """The text of each subcomponent of one component, counted from 1."""
        parts = sent.split(self.component)
        return (
            [self.text(part) for part in parts[component - 1].split(self.subcomponent)]
            if component <= len(parts)
            else []
        )


def syntax_of(raw: bytes) -> Syntax:
    """The delimiters a message declares; InvalidMessage when it does not begin with an MSH that does."""
    if raw[:3] != b"MSH":
        if raw[:3] in _BATCH:
            where = raw[:3].decode()
            raise InvalidMessage("send each message of a batch by itself", where=where, code=200, is_rejected=True)
        raise InvalidMessage("does not begin with MSH", where="MSH", code=100, is_rejected=True)
    field = raw[3:4]
    sent = raw[4:12].partition(field)[0].partition(b"\r")[0].partition(b"\n")[0] if field else b""
    if len(sent) not in (4, 5) or not _are_delimiters(field + sent):
        text = "must be four or five punctuation characters, all different from each other and MSH-1"
        raise InvalidMessage(text, where="MSH-2", code=102, is_rejected=True)
    return Syntax(chr(field[0]), *(chr(byte) for byte in sent[:4]))


@lru_cache(maxsize=64)
def _are_delimiters(sent: bytes) -> bool:
    """Whether these are distinct printable ASCII characters that cannot be part of a word or number."""
    return len(set(sent)) == len(sent) and all(0x21 <= byte <= 0x7E and not chr(byte).isalnum() for byte in sent)
