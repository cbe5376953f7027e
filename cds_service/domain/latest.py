"""Which readings of a patient stand, of all that arrived: after corrections, withdrawals and nulls, in any order.

What arrived later than it was measured never makes an old value the latest: readings are ordered by when they were
taken, and statements about one reading by when they arrived.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias
from uuid import UUID

from cds_service.domain.patient import NotUsed, Reading, UnusedReading, Value

# The flag of a time taken from the message itself: neither observation nor order has one.
UNDATED = "time-from-message"
_EVER = datetime(1, 1, 1, tzinfo=UTC)


class Arrived(NamedTuple):
    """One statement of a vital sign as it arrived from a sender.

    `statement` tells which statements of one sender are about the same thing (order, code, sub-id), together with the
    name and the moment. `change` is none, corrects, withdraws or clears. `value` is None where `reason` says why.
    """

    message_id: UUID
    number: int
    sender: str
    statement: bytes
    name: str
    value: Value | None
    reason: str | None
    detail: str
    alarming: bool
    original: str
    change: str
    taken_at: datetime | None
    received_at: datetime
    source: str
    flags: tuple[str, ...] = ()

    @property
    def is_of_all_before(self) -> bool:
        """Whether it speaks of all before its moment: a null does, and a withdrawal that does not say of when."""
        return self.change == "clears" or (self.change == "withdraws" and UNDATED in self.flags)


# A reading that may be used, and the statement it is from.
Standing: TypeAlias = tuple[Reading, Arrived]


def standing_readings(arrived: Iterable[Arrived]) -> tuple[list[Standing], list[UnusedReading]]:
    """The readings that stand, one of each statement and moment, and those that do not with their reasons."""
    about: dict[tuple[str, bytes, str, datetime | None], list[Arrived]] = {}
    cleared: dict[tuple[str, str], datetime] = {}
    for one in arrived:
        about.setdefault((one.sender, one.statement, one.name, one.taken_at), []).append(one)
        if one.change == "clears" and one.taken_at is not None:
            key = one.sender, one.name
            cleared[key] = max(one.taken_at, cleared.get(key, _EVER))
    standing: list[Standing] = []
    unused: list[UnusedReading] = []
    undated = [
        one for several in about.values() for one in several if one.change == "withdraws" and UNDATED in one.flags
    ]
    for several in about.values():
        several += [one for one in undated if _withdraws(one, several[0])]
        last = _last(several)
        refused = _refusal(last, several, cleared)
        if refused is not None:
            unused.append(refused)
        elif last.value is not None and last.taken_at is not None:
            reading = Reading(last.name, last.value, last.taken_at, last.source, last.original, last.flags)
            standing.append((reading, last))
    return standing, unused


def overtaken_by(own: Iterable[Arrived], others: Iterable[Arrived]) -> Arrived | None:
    """The first of other statements that takes back or replaces one of these readings, whichever of them came first.

    Only statements of the same sender and vital sign can, and none of a moment before its own.
    """
    alike: dict[tuple[str, str], list[Arrived]] = {}
    for one in own:
        alike.setdefault((one.sender, one.name), []).append(one)
    stood = {key: _standing(some) for key, some in alike.items()}
    for by in others:
        key = by.sender, by.name
        if stood.get(key) and not stood[key] <= _standing([by, *alike[key]]):
            return by
    return None


def _standing(arrived: Iterable[Arrived]) -> set[int]:
    return {id(one) for _, one in standing_readings(arrived)[0]}


def _withdraws(undated: Arrived, one: Arrived) -> bool:
    """Whether a withdrawal that does not say of when takes back a reading: of the same statement, and not later."""
    is_same = (undated.sender, undated.statement, undated.name) == (one.sender, one.statement, one.name)
    is_other = undated.taken_at != one.taken_at and undated.taken_at is not None and one.taken_at is not None
    return is_same and is_other and one.taken_at <= undated.taken_at  # type: ignore[operator]


def _last(several: list[Arrived]) -> Arrived:
    """What was said last of one reading: of one message the correction, which may come before what it corrects."""
    has_correction = any(one.change == "corrects" for one in several)
    said = [one for one in several if one.change in ("corrects", "withdraws") or not has_correction]
    return max(_without_undone(said) or said, key=lambda one: (one.received_at, one.change == "corrects"))


def _without_undone(said: list[Arrived]) -> list[Arrived]:
    """Statements no withdrawal of the same value, or of the whole, takes back; a correction that came later stays."""
    withdrawn = {one.original: one.received_at for one in said if one.change == "withdraws"}
    return [one for one in said if one.change == "withdraws" or not _is_undone(one, withdrawn)]


def _is_undone(one: Arrived, withdrawn: dict[str, datetime]) -> bool:
    at = max((withdrawn[original] for original in (one.original, "") if original in withdrawn), default=None)
    return at is not None and (one.change != "corrects" or one.received_at < at)


def _refusal(last: Arrived, several: list[Arrived], cleared: dict[tuple[str, str], datetime]) -> UnusedReading | None:
    if last.change == "withdraws":
        was = next((one.original for one in several if one.change != "withdraws"), last.original)
        return _unused(last, NotUsed.ENTERED_IN_ERROR, f"withdrawn by {last.source}", was)
    until = cleared.get((last.sender, last.name))
    if until is not None and last.taken_at is not None and last.taken_at <= until and last.change != "clears":
        return _unused(last, NotUsed.SUPERSEDED, "cleared by a later message", last.original)
    return None if last.reason is None else _unused(last, NotUsed(last.reason), last.detail, last.original)


def _unused(one: Arrived, reason: NotUsed, detail: str, original: str) -> UnusedReading:
    return UnusedReading(one.name, reason, one.source, original, detail, one.taken_at, one.alarming)
