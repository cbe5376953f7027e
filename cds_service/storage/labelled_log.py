"""Labelled predictions in the order of their ids, read as a stream: never all of them at once.

Many are read by a process of their own, while what was read before is made into rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Connection, Dialect, Engine, func, select, type_coerce
from sqlalchemy.types import NullType

from cds_service.domain.consensus import Vote
from cds_service.domain.dataset import Contents
from cds_service.domain.label import current_labels, holds_alone
from cds_service.storage.ahead import read_ahead
from cds_service.storage.label_ledger import LABEL_COLUMNS, label_from_row
from cds_service.storage.sessions import opened_again, reading
from cds_service.storage.tables import labels, predictions

# Rows fetched at a time; chosen by us: some megabytes of snapshots.
_BATCH = 2000
# How long the reader may work on a batch before PostgreSQL ends its transaction; chosen by us. It holds no lock.
_WORK_S = 60
# From how many labels on a process of its own reads them; chosen by us: its start costs about what 50,000 take to read.
_MANY = 100_000


# Knows the form in which snapshot and outcome are stored; None where rare diseases were ranked.
Decode: TypeAlias = Callable[[bytes, bytes], Contents | None]


class LabelledPrediction(NamedTuple):
    """What a dataset needs of one prediction; its id as 32 hexadecimal digits."""

    id: str
    service: str
    hook: str
    tenant: str
    patient_key: str | None
    model_version: str
    created_at: datetime
    shown: bool
    contents: Contents | None

    def __repr__(self) -> str:
        """Only the id: the rest is about a patient."""
        return f"LabelledPrediction({self.id})"


# A prediction, and what holds of it, oldest first.
Labelled: TypeAlias = tuple[LabelledPrediction, Sequence[Vote]]
_NAMES = (*LabelledPrediction._fields[1:-1], "snapshot", "outcome")
_WIDTH = 1 + len(_NAMES)
# A million rows are read, and the labels of most stand alone: they stay as the driver gives them until something needs
# more. An id comes as 32 hexadecimal digits, or as a UUID.
_ID = type_coerce(predictions.c.id, NullType())
_AS_THEY_ARE = tuple(type_coerce(column, NullType()) for column in LABEL_COLUMNS)
_place = [column.name for column in LABEL_COLUMNS].index
_stood = itemgetter(*(_WIDTH + _place(name) for name in ("kind", "environment", "quarantine")))
_SPOKEN = ("author", "actor", "role", "source", "saw_prediction", "category", "icu_admission", "code_system", "code")
_said = itemgetter(*(_WIDTH + _place(name) for name in _SPOKEN))


def read_labelled(
    engine: Engine, as_of: datetime, since: datetime | None, *, decode: Decode
) -> Iterator[list[Labelled]]:
    """Every production prediction made from `since` on that is labelled, oldest first, and what held of it at `as_of`.

    Some thousands at a time; `decode` is called where they are read. What is labelled meanwhile came after `as_of`,
    and changes nothing.
    """
    with reading(engine) as connection:
        count = connection.execute(select(func.count()).select_from(labels)).scalar_one()
    if count < _MANY:
        return _batches(lambda: engine, as_of, since, decode)
    return read_ahead(partial(_batches, opened_again(engine), as_of, since, decode), list[Labelled])


def _batches(
    opened: Callable[[], Engine], as_of: datetime, since: datetime | None, decode: Decode
) -> Iterator[list[Labelled]]:
    with reading(opened()) as connection:
        left = _labelled(connection, as_of, since, decode)
        while batch := list(islice(left, _BATCH)):
            yield batch


def _labelled(connection: Connection, as_of: datetime, since: datetime | None, decode: Decode) -> Iterator[Labelled]:
    query = (
        select(_ID, *(predictions.c[name] for name in _NAMES), *_AS_THEY_ARE)
        .join(labels, (labels.c.prediction_id == predictions.c.id) & (labels.c.tenant == predictions.c.tenant))
        .where(*_made(since), labels.c.received_at <= as_of)
        .order_by(predictions.c.id)
    )
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = {_WORK_S * 1000}")
    reads = _readers(connection.dialect)
    rows = connection.execution_options(yield_per=_BATCH).execute(query)
    for _, events in groupby(rows, key=itemgetter(0)):
        whole = list(events)
        key, *told, snapshot, outcome = whole[0][:_WIDTH]
        told.append(decode(snapshot, outcome))
        prediction = LabelledPrediction(key if isinstance(key, str) else key.hex, *told)
        yield prediction, [_vote(row) for row in _holding(whole, as_of, reads)]


def count_predictions(connection: Connection, as_of: datetime, since: datetime | None, *, without: str) -> int:
    """How many production predictions were made by `as_of`, but for those of one service."""
    query = select(func.count()).where(
        *_made(since),
        predictions.c.created_at <= as_of,
        predictions.c.service != without,
    )
    return connection.execute(query).scalar_one()


def _holding(rows: Sequence[Any], as_of: datetime, reads: Sequence[Callable[[Any], Any] | None]) -> Sequence[Any]:
    """The rows of one prediction whose labels hold, oldest first."""
    if len(rows) == 1:
        kind, environment, quarantine = _stood(rows[0])
        return rows if holds_alone(kind=kind, environment=environment, quarantine=quarantine) else ()
    known = {
        label_from_row([read(v) if read else v for read, v in zip(reads, row[_WIDTH:], strict=True)]): row
        for row in rows
    }
    return [known[label] for label in current_labels(known, as_of)]


def _vote(row: Any) -> Vote:
    author, actor, role, source, saw, category, icu, system, code = _said(row)
    return Vote(author or actor, role, source, saw, category, None if icu is None else bool(icu), system, code)


def _readers(dialect: Dialect) -> list[Callable[[Any], Any] | None]:
    """What makes of the driver's values those of `LABEL_COLUMNS`."""
    return [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in LABEL_COLUMNS]


def _made(since: datetime | None) -> list[ColumnElement[bool]]:
    real = predictions.c.environment == "production"
    return [real] if since is None else [real, predictions.c.created_at >= since]
