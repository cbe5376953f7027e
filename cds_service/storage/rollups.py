"""Daily roll-ups as they are stored: counts by tenant, environment and day, and which days have to be counted again.

Whoever changes what a counted day rests on says so in the same transaction (`count_again`), so nothing is overlooked
and no clock is trusted. A day is counted whole: the same rows give the same bytes, however often.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Engine, delete, insert, select

from cds_service.storage.change import Applied, Change, Transaction
from cds_service.storage.sessions import reading
from cds_service.storage.statements import insert_into
from cds_service.storage.tables import daily_rollups, rollup_days


class Part(StrEnum):
    """What of a day is counted: its predictions, the reports on their cards, or what was true of them."""

    VISITS = "visits"
    REPORTS = "reports"
    TRUTH = "truth"


class Whose(NamedTuple):
    """Whose counts: those of the test environment are never added to others."""

    tenant: str
    environment: str


@dataclass(frozen=True, slots=True)
class DayState:
    """How far a part of a day was counted: of all rows whose ids are before `upto`, `source_rows` of them.

    `wanted` over `counted` says that something changed since. A day that is `is_kept` lost rows to retention: its
    counts stay as they are.
    """

    wanted: int = 0
    counted: int = -1
    upto: datetime | None = None
    source_rows: int = 0
    is_kept: bool = False


def day_of(prediction_id: UUID) -> date | None:
    """The day (UTC) a prediction was made, which its id says; None for an id of another kind."""
    if prediction_id.version != 7:
        return None
    return datetime.fromtimestamp((prediction_id.int >> 80) / 1000, UTC).date()


def start_of(day: date) -> datetime:
    """The first moment of the day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def end_of(day: date) -> datetime:
    """The first moment after the day."""
    return start_of(day + timedelta(days=1))


def count_again(transaction: Transaction, prediction_ids: Iterable[UUID | None], *parts: Part) -> None:
    """Have the days of these predictions counted again."""
    for day in _days(prediction_ids):
        for part in parts:
            _note(transaction, day, part, wanted=rollup_days.c.wanted + 1)


def keep_counts(transaction: Transaction, prediction_ids: Iterable[UUID | None]) -> None:
    """Let the counts of these predictions' days stay as they are: retention takes the rows, not what they came to."""
    for day in _days(prediction_ids):
        for part in Part:
            _note(transaction, day, part, is_kept=True)


def read_states(engine: Engine) -> dict[tuple[date, Part], DayState]:
    """How far each day was counted."""
    columns = (rollup_days.c[name] for name in ("day", "part", *DayState.__slots__))
    with reading(engine) as connection:
        rows = connection.execute(select(*columns)).all()
    return {(date.fromisoformat(row.day), Part(row.part)): DayState(*row[2:]) for row in rows}


def read_upto(engine: Engine, day: date, part: Part) -> datetime | None:
    """Up to which moment this part of the day was counted; None where nothing was."""
    query = select(rollup_days.c.upto).filter_by(day=day.isoformat(), part=part.value)
    with reading(engine) as connection:
        found: datetime | None = connection.execute(query).scalar_one_or_none()
    return found


def save_counts(day: date, part: Part, contents: Mapping[Whose, bytes], state: DayState) -> Change[bool]:
    """Put a day's counts in place of those before; False where meanwhile another count was later, or the day is kept.

    `state.counted` is what `wanted` was when the counting began, so what changed since has it counted again.
    """
    this = {"day": day.isoformat(), "part": part.value}

    def change(transaction: Transaction) -> Applied[bool]:
        found = transaction.execute(select(rollup_days).filter_by(**this)).one_or_none()
        if found is not None and (found.is_kept or found.counted > state.counted):
            return Applied(False)
        transaction.execute(delete(daily_rollups).filter_by(**this))
        rows = [{**this, **whose._asdict(), "content": content} for whose, content in contents.items()]
        if rows:
            transaction.execute(insert(daily_rollups), rows)
        _note(transaction, day, part, counted=state.counted, upto=state.upto, source_rows=state.source_rows)
        return Applied(True)

    return change


def read_counts(engine: Engine, whose: Whose, first: date, last: date) -> list[tuple[date, Part, bytes]]:
    """What was counted from the first to the last day, both included, in their order."""
    query = (
        select(daily_rollups.c.day, daily_rollups.c.part, daily_rollups.c.content)
        .filter_by(**whose._asdict())
        .where(daily_rollups.c.day >= first.isoformat(), daily_rollups.c.day <= last.isoformat())
        .order_by(daily_rollups.c.day)
    )
    with reading(engine) as connection:
        return [(date.fromisoformat(day), Part(part), content) for day, part, content in connection.execute(query)]


def _days(prediction_ids: Iterable[UUID | None]) -> Sequence[date]:
    found = {day_of(one) for one in prediction_ids if one is not None}
    return sorted(day for day in found if day is not None)


def _note(connection: Connection, day: date, part: Part, **changed: Any) -> None:
    """Change the day's row, or make one that says that nothing was counted yet."""
    row = {"day": day.isoformat(), "part": part.value, **asdict(DayState()), **changed}
    row["wanted"] = int("wanted" in changed)
    key = [rollup_days.c.day, rollup_days.c.part]
    statement = insert_into(rollup_days, connection.dialect).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changed))
