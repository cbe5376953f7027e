"""Labelled predictions in the order of their ids, read as a stream: never all of them at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, select

from cds_service.domain.label import Label
from cds_service.storage.label_ledger import LABEL_COLUMNS, label_from_row
from cds_service.storage.tables import labels, predictions

# Rows fetched at a time; chosen by us: some megabytes of snapshots.
_BATCH = 2000
# How long the reader may work on a batch before PostgreSQL ends its transaction; chosen by us. It holds no lock.
_WORK_S = 60


@dataclass(frozen=True, slots=True)
class LabelledPrediction:
    """What a dataset needs of one prediction."""

    id: UUID
    service: str
    hook: str
    tenant: str
    patient_key: str | None
    model_version: str
    created_at: datetime
    shown: bool
    snapshot: bytes
    outcome: bytes

    def __repr__(self) -> str:
        """Only the id: the rest is about a patient."""
        return f"LabelledPrediction({self.id})"


_COLUMNS = tuple(predictions.c[field.name] for field in fields(LabelledPrediction))
_WIDTH = len(_COLUMNS)


def read_labelled(
    connection: Connection, as_of: datetime, since: datetime | None
) -> Iterator[tuple[LabelledPrediction, tuple[Label, ...]]]:
    """Every production prediction made from `since` on that is labelled, with the events received by `as_of`."""
    query = (
        select(*_COLUMNS, *LABEL_COLUMNS)
        .join(labels, (labels.c.prediction_id == predictions.c.id) & (labels.c.tenant == predictions.c.tenant))
        .where(*_made(since), labels.c.received_at <= as_of)
        .order_by(predictions.c.id)
    )
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = {_WORK_S * 1000}")
    rows = connection.execution_options(yield_per=_BATCH).execute(query)
    for _, events in groupby(rows, key=_id):
        whole = list(events)
        yield LabelledPrediction(*whole[0][:_WIDTH]), tuple(label_from_row(row[_WIDTH:]) for row in whole)


def count_predictions(connection: Connection, as_of: datetime, since: datetime | None, *, without: str) -> int:
    """How many production predictions were made by `as_of`, but for those of one service."""
    query = select(func.count()).where(
        *_made(since),
        predictions.c.created_at <= as_of,
        predictions.c.service != without,
    )
    return connection.execute(query).scalar_one()


def _made(since: datetime | None) -> list[ColumnElement[bool]]:
    real = predictions.c.environment == "production"
    return [real] if since is None else [real, predictions.c.created_at >= since]


def _id(row: Any) -> UUID:
    found: UUID = row[0]
    return found
