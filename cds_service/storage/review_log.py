"""What waits for a reviewer: predictions without a label, labels that disagree, rare diseases one person named.

All is asked from a moment on: ids of predictions grow with time, so that only what is young is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, select

from cds_service.domain.label import ACUITY, RARE_SYSTEMS, Kind, Label, Source
from cds_service.storage.change import Transaction, add_missing
from cds_service.storage.label_ledger import LABEL_COLUMNS, label_from_row
from cds_service.storage.prediction_log import first_id_at
from cds_service.storage.statements import insert_into
from cds_service.storage.tables import labels, predictions, review_marks

SKIP, UNSURE, SEEN = "skip", "unsure", "seen"


class Whose(NamedTuple):
    """Whose predictions are asked about, by whom, and from which moment on."""

    tenant: str
    environment: str
    actor: str
    since: datetime


class Stored(NamedTuple):
    """A prediction as it is stored: whose, its snapshot and its outcome."""

    id: UUID
    patient_key: str | None
    snapshot: bytes
    outcome: bytes

    def __repr__(self) -> str:
        """Only the id: the rest is about a patient."""
        return f"Stored({self.id})"


def unlabelled(connection: Connection, whose: Whose, *, limit: int) -> list[UUID]:
    """The newest predictions without a label that this person neither passed on nor has seen, newest first."""
    query = _waiting(whose).order_by(predictions.c.id.desc()).limit(limit)
    return list(connection.execute(query).scalars().all())


def doubted(connection: Connection, whose: Whose, *, limit: int) -> list[UUID]:
    """Predictions without a label that someone else was unsure of, oldest first: they wait for a second person."""
    unsure = select(review_marks.c.prediction_id).where(*_of(review_marks, whose), review_marks.c.mark == UNSURE)
    query = _waiting(whose).where(predictions.c.id.in_(unsure)).order_by(predictions.c.id).limit(limit)
    return list(connection.execute(query).scalars().all())


def read_stored(connection: Connection, ids: Sequence[UUID]) -> list[Stored]:
    """These predictions, in no order."""
    columns = (predictions.c[name] for name in Stored._fields)
    return [Stored(*row) for row in connection.execute(select(*columns).where(predictions.c.id.in_(ids)))]


def newest_labelled(connection: Connection, whose: Whose, *, limit: int) -> list[UUID]:
    """The newest predictions with a label, newest first, whatever became of the label."""
    query = select(labels.c.prediction_id).where(*_of(labels, whose), labels.c.kind == Kind.LABEL).distinct()
    return list(connection.execute(query.order_by(labels.c.prediction_id.desc()).limit(limit)).scalars())


def contradicted(connection: Connection, whose: Whose, *, limit: int) -> list[UUID]:
    """The newest predictions with labels of several acuities, whether or not these still hold."""
    query = (
        select(labels.c.prediction_id)
        .where(*_of(labels, whose), labels.c.kind == Kind.LABEL, labels.c.category.in_(ACUITY))
        .group_by(labels.c.prediction_id)
        .having(func.count(labels.c.category.distinct()) > 1)
    )
    return list(connection.execute(query.order_by(labels.c.prediction_id.desc()).limit(limit)).scalars())


def named_rare(connection: Connection, whose: Whose, *, limit: int) -> list[UUID]:
    """The newest predictions with a label that names a rare disease."""
    query = (
        select(labels.c.prediction_id)
        .where(*_of(labels, whose), labels.c.kind == Kind.LABEL)
        .where(labels.c.code_system.in_(RARE_SYSTEMS.values()))
        .distinct()
    )
    return list(connection.execute(query.order_by(labels.c.prediction_id.desc()).limit(limit)).scalars())


def count_categories(connection: Connection, whose: Whose) -> dict[str, int]:
    """How many labels there are of each state."""
    query = (
        select(labels.c.category, func.count())
        .where(*_of(labels, whose), labels.c.kind == Kind.LABEL, labels.c.category.is_not(None))
        .group_by(labels.c.category)
    )
    return {str(category): int(count) for category, count in connection.execute(query)}


def labels_of(connection: Connection, tenant: str, ids: Sequence[UUID]) -> dict[UUID, list[Label]]:
    """Every event about each of these predictions; no entry where there is none."""
    query = select(*LABEL_COLUMNS).where(labels.c.tenant == tenant, labels.c.prediction_id.in_(ids))
    found: dict[UUID, list[Label]] = {}
    for label in map(label_from_row, connection.execute(query)):
        if label.prediction_id is not None:
            found.setdefault(label.prediction_id, []).append(label)
    return found


def count_answers(connection: Connection, whose: Whose) -> int:
    """How many cases this person answered since the moment: labelled by a form, passed on, or were unsure of."""
    labelled = select(func.count(labels.c.prediction_id.distinct())).where(
        labels.c.tenant == whose.tenant,
        labels.c.actor == whose.actor,
        labels.c.received_at >= whose.since,
        labels.c.source == Source.FORM,
        labels.c.kind == Kind.LABEL,
    )
    passed = select(func.count()).where(*_of(review_marks, whose), *_by(whose), review_marks.c.mark != SEEN)
    return sum(connection.execute(query).scalar_one() for query in (labelled, passed))


def marked_by(connection: Connection, prediction_id: UUID, actor: str) -> str | None:
    """What this person did with the prediction, None for nothing."""
    query = select(review_marks.c.mark).filter_by(prediction_id=prediction_id, actor=actor)
    return connection.execute(query).scalar_one_or_none()


def keep_mark(transaction: Transaction, row: dict[str, Any]) -> bool:
    """Whether the mark is new; passing on takes the place of what was there, having seen of nothing."""
    if row["mark"] == SEEN:
        return add_missing(transaction, review_marks, row)
    insert = insert_into(review_marks, transaction.dialect).values(row)
    changed = {name: insert.excluded[name] for name in ("mark", "at")}
    transaction.execute(
        insert.on_conflict_do_update(index_elements=[review_marks.c.prediction_id, review_marks.c.actor], set_=changed)
    )
    return True


def _of(table: Any, whose: Whose) -> tuple[ColumnElement[bool], ...]:
    """Rows of a table about the tenant's young predictions."""
    columns = table.c
    return (
        columns.tenant == whose.tenant,
        columns.environment == whose.environment,
        columns.prediction_id >= first_id_at(whose.since),
    )


def _by(whose: Whose) -> tuple[ColumnElement[bool], ...]:
    return (review_marks.c.actor == whose.actor, review_marks.c.at >= whose.since)


def _waiting(whose: Whose) -> Select[Any]:
    """Young predictions of the tenant without a label, not marked by this person."""
    marked = exists().where(review_marks.c.prediction_id == predictions.c.id, review_marks.c.actor == whose.actor)
    return select(predictions.c.id).where(
        # So written, no index of tenants is taken: it would sort all of a tenant's predictions to find the newest.
        func.coalesce(predictions.c.tenant, "") == whose.tenant,
        predictions.c.environment == whose.environment,
        predictions.c.id >= first_id_at(whose.since),
        ~_is_labelled(),
        ~marked,
    )


def _is_labelled() -> ColumnElement[bool]:
    """Whether there is a label that was not taken back: one that is held back waits for a steward, not a reviewer."""
    ended = labels.alias("ended")
    taken_back = exists().where(
        ended.c.tenant == labels.c.tenant,
        ended.c.prediction_id == labels.c.prediction_id,
        ended.c.thread == labels.c.thread,
        ended.c.kind == Kind.WITHDRAWAL,
        ended.c.stands_at >= labels.c.stands_at,
    )
    return exists().where(
        and_(
            labels.c.tenant == predictions.c.tenant,
            labels.c.prediction_id == predictions.c.id,
            labels.c.kind == Kind.LABEL,
            ~taken_back,
        )
    )
