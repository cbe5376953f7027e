"""What a day's counts are made of; predictions are read in batches, so that no statement outlasts its limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Engine, and_, func, select

from cds_service.domain.feedback import Feedback
from cds_service.domain.label import Label
from cds_service.storage.feedback_log import REPORT_COLUMNS, report_from_row
from cds_service.storage.label_ledger import LABEL_COLUMNS, label_from_row
from cds_service.storage.prediction_log import first_id_at
from cds_service.storage.rollups import Whose, day_of
from cds_service.storage.sessions import reading
from cds_service.storage.tables import feedback, labels, predictions

# Rows read at a time; chosen by us: less than a megabyte while they are counted, and two thousandths of a second.
BATCH = 25


@dataclass(frozen=True, slots=True)
class MadePrediction:
    """What is counted of one prediction."""

    id: UUID
    service: str
    tenant: str
    environment: str
    hook: str
    patient_key: str | None
    model_version: str
    shown: bool
    reply: bytes
    snapshot: bytes
    outcome: bytes

    def __repr__(self) -> str:
        """Only the id: the rest is about a patient."""
        return f"MadePrediction({self.id})"

    @property
    def whose(self) -> Whose:
        """Whose counts it belongs to."""
        return Whose(self.tenant, self.environment)


@dataclass(frozen=True, slots=True)
class Concluded:
    """What a label can agree with."""

    id: UUID
    service: str
    tenant: str
    environment: str
    model_version: str
    outcome: bytes

    def __repr__(self) -> str:
        """Only the id: the rest is about a patient."""
        return f"Concluded({self.id})"


_MADE = tuple(predictions.c[field.name] for field in fields(MadePrediction))
_CONCLUDED = tuple(predictions.c[field.name] for field in fields(Concluded))
_CARD = tuple(predictions.c[name] for name in ("tenant", "environment", "service"))


def first_day(engine: Engine) -> date | None:
    """The day of the oldest prediction; None where there is none."""
    with reading(engine) as connection:
        found: UUID | None = connection.execute(
            select(predictions.c.id).order_by(predictions.c.id).limit(1)
        ).scalar_one_or_none()
    return None if found is None else day_of(found)


def count_made(engine: Engine, start: datetime, end: datetime) -> int:
    """How many predictions were made from `start` to before `end`, whoever's they are."""
    with reading(engine) as connection:
        return connection.execute(select(func.count()).select_from(predictions).where(_made(start, end))).scalar_one()


def made_between(
    engine: Engine, start: datetime, end: datetime, *, at_most: int | None = None
) -> Iterator[list[MadePrediction]]:
    """The predictions of this time in batches, oldest first, whoever's they are."""
    after, left = first_id_at(start), at_most
    while left is None or left > 0:
        size = BATCH if left is None else min(BATCH, left)
        query = select(*_MADE).where(predictions.c.id > after, predictions.c.id < first_id_at(end))
        with reading(engine) as connection:
            batch = [MadePrediction(*row) for row in connection.execute(query.order_by(predictions.c.id).limit(size))]
        if batch:
            yield batch
        if len(batch) < size:
            return
        after, left = batch[-1].id, None if left is None else left - size


def reports_between(engine: Engine, start: datetime, end: datetime) -> Iterator[tuple[Whose, str, list[Feedback]]]:
    """Of each card of this time with reports: whose it is, the service that gave it, and the reports."""
    of = and_(feedback.c.card == predictions.c.id, feedback.c.tenant == predictions.c.tenant)
    query = select(*_CARD, *REPORT_COLUMNS).join(feedback, of).order_by(predictions.c.id)
    for _, group in groupby(_rows(engine, query, start, end), key=lambda row: row.card):
        whole = list(group)
        whose = Whose(whole[0].tenant, whole[0].environment)
        yield whose, whole[0].service, [report_from_row(row) for row in whole]


def labelled_between(engine: Engine, start: datetime, end: datetime) -> Iterator[tuple[Concluded, tuple[Label, ...]]]:
    """Each labelled prediction of this time, with every event of the ledger about it."""
    of = and_(labels.c.prediction_id == predictions.c.id, labels.c.tenant == predictions.c.tenant)
    query = select(*_CONCLUDED, *LABEL_COLUMNS).join(labels, of).order_by(predictions.c.id)
    width = len(_CONCLUDED)
    for _, group in groupby(_rows(engine, query, start, end), key=lambda row: row[0]):
        whole = list(group)
        yield Concluded(*whole[0][:width]), tuple(label_from_row(row[width:]) for row in whole)


def _rows(engine: Engine, query: Any, start: datetime, end: datetime) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(query.where(_made(start, end))))


def _made(start: datetime, end: datetime) -> ColumnElement[bool]:
    return and_(predictions.c.id >= first_id_at(start), predictions.c.id < first_id_at(end))
