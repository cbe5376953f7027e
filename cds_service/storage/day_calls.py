"""Calls by day as they are stored: each process's own row, put together once the day is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from sqlalchemy import Engine, delete, select

from cds_service.storage.change import Applied, Change, Transaction
from cds_service.storage.rollups import Whose
from cds_service.storage.sessions import reading
from cds_service.storage.statements import insert_into
from cds_service.storage.tables import daily_calls

# The process a day's row is of once all of them are put together.
ALL = ""
# Rows put together in one transaction; chosen by us: some milliseconds.
_AT_ONCE = 200

_KEY = ("tenant", "environment", "day")

Put = Mapping[tuple[Whose, date], bytes]


def save_calls(process: str, found: Put) -> Change[None]:
    """Put what a process counted of these days in place of what it had stored of them."""

    def change(transaction: Transaction) -> Applied[None]:
        for (whose, day), content in found.items():
            _put(transaction, {**whose._asdict(), "day": day.isoformat(), "process": process, "content": content})
        return Applied(None)

    return change


def join_processes(before: date, summed: Callable[[Sequence[bytes]], bytes]) -> Change[int]:
    """Put the rows of days before this one together, those of all processes into one; how many there were."""
    of_processes = (daily_calls.c.day < before.isoformat(), daily_calls.c.process != ALL)

    def change(transaction: Transaction) -> Applied[int]:
        some = select(daily_calls).where(*of_processes).order_by(*daily_calls.primary_key).limit(_AT_ONCE)
        rows = transaction.execute(some).all()
        for key in sorted({tuple(getattr(row, name) for name in _KEY) for row in rows}):
            named = dict(zip(_KEY, key, strict=True))
            mine = [row for row in rows if tuple(getattr(row, name) for name in _KEY) == key]
            joined = select(daily_calls.c.content).filter_by(**named, process=ALL)
            before_now = transaction.execute(joined).scalars().all()
            _put(
                transaction,
                {**named, "process": ALL, "content": summed([*before_now, *(row.content for row in mine)])},
            )
            gone = delete(daily_calls).filter_by(**named)
            transaction.execute(gone.where(daily_calls.c.process.in_([row.process for row in mine])))
        return Applied(len(rows))

    return change


def read_calls(engine: Engine, whose: Whose, first: date, last: date) -> list[tuple[date, bytes]]:
    """What every process counted, from the first to the last day, both included."""
    query = (
        select(daily_calls.c.day, daily_calls.c.content)
        .filter_by(**whose._asdict())
        .where(daily_calls.c.day >= first.isoformat(), daily_calls.c.day <= last.isoformat())
    )
    with reading(engine) as connection:
        return [(date.fromisoformat(day), content) for day, content in connection.execute(query)]


def _put(transaction: Transaction, row: dict[str, object]) -> None:
    statement = insert_into(daily_calls, transaction.dialect).values(row)
    key = [daily_calls.c[name] for name in (*_KEY, "process")]
    transaction.execute(statement.on_conflict_do_update(index_elements=key, set_={"content": row["content"]}))
