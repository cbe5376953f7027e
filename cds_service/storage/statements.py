"""Statements compiled once and run on the driver's cursor: SQLAlchemy writes the SQL, each call pays only for its rows.

Per statement SQLAlchemy's own execution costs several times what SQLite needs for the row; see
docs/decisions/storage-writer.md for the figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Table, and_, bindparam, or_, select
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql import ClauseElement

Row = tuple[Any, ...]

_LARGEST = 64
_MARKS: dict[str, Any] = {"sqlite": "qmark", "postgresql": "numeric_dollar"}


def insert_into(table: Table, dialect: Dialect) -> Any:
    """An INSERT that may say ON CONFLICT: the dialects spell it the same, each through its own class."""
    return import_module(f"sqlalchemy.dialects.{dialect.name}").insert(table)


def driver_cursor(connection: Connection) -> DBAPICursor:
    """The driver's own cursor on the connection: what is run on it is part of its transaction."""
    driver: Any = connection.connection.driver_connection
    cursor: DBAPICursor = driver.cursor() if connection.dialect.name == "sqlite" else driver.raw_cursor()
    return cursor


class DriverStatement:
    """SQL of one dialect that takes values in the driver's own types, in the order of `names`."""

    __slots__ = ("_sql",)

    def __init__(self, statement: ClauseElement, names: Sequence[str], dialect: Dialect) -> None:
        # The marks the server itself reads: psycopg's own are searched for in the text at every call.
        make: Any = type(dialect)
        compiled: Any = statement.compile(dialect=make(paramstyle=_MARKS[dialect.name]))
        if tuple(compiled.positiontup or ()) != tuple(names):
            raise ValueError(f"parameters are {compiled.positiontup}, not {names}")
        self._sql = str(compiled)

    def run(self, cursor: DBAPICursor, values: Sequence[Any] = ()) -> None:
        """Execute with these values, on a cursor of `driver_cursor`."""
        cursor.execute(self._sql, values)


def _portions(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """The rows in powers of two, so that a handful of statements serves groups of every size."""
    start = 0
    while start < len(rows):
        size = min(_LARGEST, 1 << (len(rows) - start).bit_length() - 1)
        yield rows[start : start + size]
        start += size


def _in_one(rows: Iterable[Row]) -> list[Any]:
    """The values of all rows, one after the other: a list grown row by row, which costs less than value by value."""
    values: list[Any] = []
    for row in rows:
        values += row
    return values


class FindRows:
    """Finds which of any number of keys are in a table, with few statements of many keys."""

    def __init__(
        self, table: Table, dialect: Dialect, *, key: Sequence[str], where: ColumnElement[bool] | None = None
    ) -> None:
        """`where` is what else holds of the rows looked for."""
        self._columns = [table.c[name] for name in key]
        self._where = () if where is None else (where,)
        self._dialect = dialect
        self._statements: dict[int, DriverStatement] = {}

    def run(self, cursor: DBAPICursor, keys: Sequence[Row]) -> set[Row]:
        """Those of the keys that are there."""
        found: set[Row] = set()
        for start in range(0, len(keys), _LARGEST):
            some = keys[start : start + _LARGEST]
            size = 1 << (len(some) - 1).bit_length()  # the last is asked for again: a handful of statements serves all
            statement = self._statements.get(size) or self._prepare(size)
            statement.run(cursor, _in_one((*some, *[some[-1]] * (size - len(some)))))
            found.update(map(tuple, cursor.fetchall()))
        return found

    def _prepare(self, size: int) -> DriverStatement:
        names = [[f"{column.name}_m{i}" for column in self._columns] for i in range(size)]
        is_one = [
            and_(*(column == bindparam(name) for column, name in zip(self._columns, some, strict=True)))
            for some in names
        ]
        query = select(*self._columns).where(or_(*is_one), *self._where)
        statement = DriverStatement(query, list(chain.from_iterable(names)), self._dialect)
        self._statements[size] = statement
        return statement


class InsertRows:
    """Inserts any number of whole rows with few statements of many rows.

    A statement of many rows hands the interpreter lock over once, `executemany` once a row.
    """

    def __init__(self, table: Table, dialect: Dialect, *, key: Sequence[str] = (), replace: bool = False) -> None:
        self._table = table
        self._dialect = dialect
        self._key = list(key)
        self._replace = replace
        self._statements: dict[int, DriverStatement] = {}

    def run(self, cursor: DBAPICursor, rows: Sequence[Row]) -> int:
        """Insert the rows; one whose `key` is there is left alone or replaces it. How many were written."""
        written = 0
        for some in _portions(rows):
            statement = self._statements.get(len(some)) or self._prepare(len(some))
            statement.run(cursor, _in_one(some))
            written += cursor.rowcount
        return written

    def _prepare(self, size: int) -> DriverStatement:
        columns = self._table.columns.keys()
        names = [f"{name}_m{i}" for i in range(size) for name in columns]
        statement = DriverStatement(self._insert([dict.fromkeys(columns)] * size), names, self._dialect)
        self._statements[size] = statement
        return statement

    def _insert(self, rows: list[dict[str, None]]) -> Any:
        # A statement that fails leaves on SQLite what it wrote before: whoever runs it takes back its transaction or
        # savepoint. To undo the statement alone, SQLite would first copy each page of it to a temporary file.
        insert = insert_into(self._table, self._dialect).prefix_with("OR FAIL", dialect="sqlite")
        if not self._key:
            return insert.values(rows)
        if not self._replace:
            return insert.values(rows).on_conflict_do_nothing(index_elements=self._key)
        changed = {column.name: insert.excluded[column.name] for column in self._table.columns}
        kept = {name: value for name, value in changed.items() if name not in self._key}
        return insert.values(rows).on_conflict_do_update(index_elements=self._key, set_=kept)
