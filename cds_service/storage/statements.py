"""Statements compiled once and run by the driver: SQLAlchemy writes the SQL, the hot path pays only for the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Table, Update
from sqlalchemy.dialects import postgresql, sqlite

Row = tuple[Any, ...]

_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True, slots=True)
class DriverStatement:
    """SQL of one dialect that takes rows of values in the driver's own types, in the order of `names`."""

    sql: str
    names: tuple[str, ...]
    positional: bool

    def run(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Execute for every row; how many rows the database changed."""
        values: list[Any] = list(rows) if self.positional else [dict(zip(self.names, row, strict=True)) for row in rows]
        return connection.exec_driver_sql(self.sql, values).rowcount


def prepare(statement: Insert | Update, names: Sequence[str], dialect: Dialect) -> DriverStatement:
    """The statement for this dialect, taking its parameters in the order of `names`."""
    compiled = statement.compile(dialect=dialect)
    order = compiled.positiontup
    if order is not None and tuple(order) != tuple(names):
        raise ValueError(f"parameters are {order}, not {names}")
    return DriverStatement(str(compiled), tuple(names), order is not None)


def insert_new(table: Table, key: Sequence[str], dialect: Dialect) -> DriverStatement:
    """Insert whole rows, leaving a row alone whose key is there already."""
    insert = _INSERTS[dialect.name](table)
    return prepare(insert.on_conflict_do_nothing(index_elements=key), table.columns.keys(), dialect)


def upsert(table: Table, key: str, dialect: Dialect) -> DriverStatement:
    """Insert whole rows, replacing a row whose key is there already."""
    insert = _INSERTS[dialect.name](table)
    changed = {name: insert.excluded[name] for name in table.columns.keys() if name != key}  # noqa: SIM118
    return prepare(insert.on_conflict_do_update(index_elements=[key], set_=changed), table.columns.keys(), dialect)
