"""Which records are one patient's, and which visits are over: worked out from what messages said, in their order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from cds_service.storage.reading_log import PatientEvent

# Records that went into records that went into this one, at most so deep; chosen by us.
DEEPEST = 5


class Records(NamedTuple):
    """The keys of records that are the patient's now, where single visits went, and which visits ended and when."""

    joined: frozenset[str]
    held: dict[tuple[str, bytes | None], str]
    ended: dict[bytes | None, datetime]

    def holds(self, key: str, visit: bytes | None) -> bool:
        """Whether what was sent under this record and visit is the patient's now."""
        return self.held.get((key, visit), key) in self.joined

    def is_over(self, visit: bytes | None, received_at: datetime) -> bool:
        """Whether a reading's visit ended: its own, or, where the discharge named none, any until then."""
        unnamed = self.ended.get(None)
        return (visit is not None and visit in self.ended) or (unnamed is not None and received_at <= unnamed)


def neighbours(events: Iterable[PatientEvent], keys: Collection[str]) -> set[str]:
    """Records that ever had to do with these: what must be read to know which of them still do."""
    pairs = [(one.key, one.other_key) for one in events if one.other_key is not None]
    return {key for key, other in pairs if other in keys} | {other for key, other in pairs if key in keys}


def records_of(own: Collection[str], events: Sequence[PatientEvent]) -> Records:
    """The patient's records by all that was said, the last of it counting.

    A record goes into one other at a time: merged again, it leaves the first, and one merged back is where it was.
    Links are of two records that stay apart, and hold both ways. A visit is where it went last.
    """
    into: dict[str, str] = {}
    links: set[frozenset[str]] = set()
    held: dict[tuple[str, bytes | None], str] = {}
    for event in events:
        key, other = event.key, event.other_key
        if other is None:
            continue
        if event.kind == "moved":
            _move(held, key, event.visit, other)
        elif event.kind == "linked":
            links.add(frozenset((key, other)))
        else:
            links.discard(frozenset((key, other)))
            for one, two in ((key, other), (other, key)):
                if into.get(one) == two:
                    del into[one]
            if event.kind == "merged":
                into[key] = other
    joined = _joined(own, into, links)
    return Records(joined, held, _ended(events, joined))


def _move(held: dict[tuple[str, bytes | None], str], key: str, visit: bytes | None, target: str) -> None:
    for origin, holder in held.items():
        if holder == key and origin[1] == visit:
            held[origin] = target
    held.setdefault((key, visit), target)


def _joined(own: Collection[str], into: dict[str, str], links: set[frozenset[str]]) -> frozenset[str]:
    joined = set(own)
    for _ in range(DEEPEST):
        more = {key for key, target in into.items() if target in joined}
        more |= {key for pair in links if not pair.isdisjoint(joined) for key in pair}
        if more <= joined:
            break
        joined |= more
    return frozenset(joined)


def _ended(events: Iterable[PatientEvent], joined: Collection[str]) -> dict[bytes | None, datetime]:
    """When each visit ended that was not opened again; a visit's number is its own, whatever record it is under."""
    ended: dict[bytes | None, datetime] = {}
    for event in events:
        if event.visit is None and event.key not in joined:
            continue
        if event.kind == "ended" and event.at is not None:
            ended[event.visit] = event.at
        elif event.kind == "reopened":
            ended.pop(event.visit, None)
    return ended
