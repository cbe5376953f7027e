"""Changes that go in with few statements: together where they can, alone where they must, nothing twice or half."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.engine.interfaces import DBAPICursor

from cds_service.errors import Conflict, NotFound, Unavailable
from cds_service.storage.audit_log import verify_chain
from cds_service.storage.change import Applied, JointChange
from cds_service.storage.statements import FindRows, InsertRows, driver_cursor
from cds_service.storage.tables import audit, tokens, utc_text
from cds_service.storage.writer import GroupWriter
from tests.storage.builders import NOW, an_event, keyring


class Notes:
    """Makes joint changes that add a row of a name each; `ways` says how each went in."""

    def __init__(self, engine: Engine, *, together: str = "works") -> None:
        self.insert = InsertRows(tokens, engine.dialect)
        self.together = together
        self.ways: list[tuple[str, str]] = []

    def change(self, name: str) -> JointChange[str]:
        def alone(connection: Connection) -> Applied[str]:
            self.ways.append(("alone", name))
            self.insert.run(driver_cursor(connection), [_row(name)])
            if name == "refused":
                raise NotFound("no such name")
            return Applied(name, [an_event(action=name)])

        return JointChange(alone, name, self._together)

    def _together(self, cursor: DBAPICursor, names: Sequence[str]) -> Sequence[Applied[str] | None] | None:
        fit = [name for name in names if name != "alone"]
        self.insert.run(cursor, [_row(name) for name in fit])
        if self.together == "gives up":
            return None
        self.ways += [("together", name) for name in fit]
        return [Applied(name, [an_event(action=name)]) if name in fit else None for name in names]


def _row(name: str) -> tuple[Any, ...]:
    return ("x", name, b"", utc_text(NOW))


def in_one_group(writer: GroupWriter, *changes: Any) -> list[Callable[[], Any]]:
    """What says what became of each change, once all are settled: they waited while the writer was busy."""
    busy, all_settled, left = threading.Event(), threading.Event(), [len(changes)]

    def hold(_: Connection) -> Applied[None]:
        assert busy.wait(10)
        return Applied(None)

    def settled() -> None:
        left[0] -= 1
        if not left[0]:
            all_settled.set()

    first = writer.begin_change(hold, lambda: None)
    outcomes = [writer.begin_change(change, settled) for change in changes]
    busy.set()
    assert all_settled.wait(10)
    first()
    return outcomes


def names(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return sorted(connection.execute(select(tokens.c.jti)).scalars())


def test_changes_go_in_together_and_one_that_must_goes_alone(engine: Engine, writer: GroupWriter) -> None:
    notes = Notes(engine)

    outcomes = in_one_group(writer, *(notes.change(name) for name in ("a", "alone", "b")))

    assert [outcome() for outcome in outcomes] == ["a", "alone", "b"]
    assert notes.ways == [("together", "a"), ("together", "b"), ("alone", "alone")]
    assert names(engine) == ["a", "alone", "b"]
    assert verify_chain(engine, keyring()) is None
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(audit)).scalar_one() == 3


def test_where_together_gives_up_each_is_made_alone_and_once(engine: Engine, writer: GroupWriter) -> None:
    notes = Notes(engine, together="gives up")

    outcomes = in_one_group(writer, *(notes.change(name) for name in ("a", "refused", "b")))

    assert (outcomes[0](), outcomes[2]()) == ("a", "b")
    with pytest.raises(NotFound):
        outcomes[1]()
    assert names(engine) == ["a", "b"]


def test_a_row_the_database_refuses_is_refused_alone(engine: Engine, writer: GroupWriter) -> None:
    with engine.begin() as connection:
        connection.execute(insert(tokens).values(issuer="x", jti="taken", request_hash=b"", expires_at=NOW))
    notes = Notes(engine)

    outcomes = in_one_group(writer, *(notes.change(name) for name in ("a", "taken", "b")))

    assert (outcomes[0](), outcomes[2]()) == ("a", "b")
    with pytest.raises(Conflict):
        outcomes[1]()
    assert names(engine) == ["a", "b", "taken"]


def test_a_change_that_is_asked_before_it_is_settled_is_given_up(writer: GroupWriter) -> None:
    busy = threading.Event()

    def hold(_: Connection) -> Applied[None]:
        assert busy.wait(10)
        return Applied(None)

    outcome = writer.begin_change(hold, lambda: None)
    with pytest.raises(Unavailable, match="in time"):
        outcome()
    busy.set()


def test_a_writer_that_takes_nothing_says_so_at_once(writer: GroupWriter) -> None:
    settled = threading.Event()
    writer.drain()

    outcome = writer.begin_change(lambda _: Applied(None), settled.set)

    assert settled.is_set()
    with pytest.raises(Unavailable, match="shutting down"):
        outcome()


@pytest.mark.parametrize("count", [1, 3, 64, 100])
def test_keys_are_found_whatever_their_number(engine: Engine, count: int) -> None:
    keys = [("x", str(number)) for number in range(count)]
    find = FindRows(tokens, engine.dialect, key=["issuer", "jti"])
    with engine.begin() as connection:
        cursor = driver_cursor(connection)
        InsertRows(tokens, engine.dialect).run(cursor, [_row(number) for _, number in keys[::2]])

        assert find.run(cursor, keys) == set(keys[::2])
