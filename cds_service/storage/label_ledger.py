"""The ledger of labels: events are added, none is changed or removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, false, func, or_, select

from cds_service.domain.label import Kind, Label, Source
from cds_service.errors import Unavailable
from cds_service.storage.change import Transaction, add_missing
from cds_service.storage.feedback_log import same_comment, sealed_comment
from cds_service.storage.identity import Keyring, unsealed
from cds_service.storage.rollups import Part, count_again
from cds_service.storage.tables import labels

_NAMES = tuple(field.name for field in fields(Label))
LABEL_COLUMNS = tuple(labels.c[name] for name in _NAMES)
# What makes an event of a form the same as another, beside its comment and when it was observed.
_SAID = (
    "tenant",
    "source",
    "kind",
    "prediction_id",
    "actor",
    "author",
    "category",
    "code_system",
    "code",
    "saw_prediction",
    "refers_to",
    "icu_admission",
)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many labels came before: from the author and the sender since `day`, from the author since `minute`."""

    author_today: int
    sender_today: int
    author_last_minute: int


def add_label(transaction: Transaction, label: Label, comment: str, keyring: Keyring) -> Label:
    """The event as the ledger holds it: this one, whose prediction's day is counted again, or the same from before."""
    row = {name: getattr(label, name) for name in _NAMES} | sealed_comment(keyring, "labels", label.id, comment)
    if add_missing(transaction, labels, row):
        count_again(transaction, [label.prediction_id], Part.TRUTH)
        return label
    found = find_label(transaction, label.tenant, label.id)
    if found is None:
        raise Unavailable("the label is neither new nor there", where="labels")
    return found


def find_label(connection: Connection, tenant: str, label_id: UUID) -> Label | None:
    """The tenant's event with this id."""
    row = connection.execute(
        select(*LABEL_COLUMNS).where(labels.c.tenant == tenant, labels.c.id == label_id)
    ).one_or_none()
    return None if row is None else label_from_row(row)


def find_same(connection: Connection, label: Label, comment: str, keyring: Keyring) -> Label | None:
    """The event of a form that says the same: its id is keyed, and another key gives it another id.

    A confirmation's id is not, and after its withdrawal the same may be said again.
    """
    if label.source is not Source.FORM or label.kind is Kind.CONFIRMATION:
        return None
    as_of_now = labels.c.observed_at == labels.c.received_at if label.observed_at == label.received_at else false()
    query = (
        select(*LABEL_COLUMNS, labels.c.key_id, labels.c.sealed)
        .filter_by(**{name: getattr(label, name) for name in _SAID})
        .where(or_(labels.c.observed_at == label.observed_at, as_of_now))
    )
    rows = (row for row in connection.execute(query) if same_comment(keyring, "labels", row, comment))
    return next((label_from_row(row[: len(LABEL_COLUMNS)]) for row in rows), None)


def find_thread(connection: Connection, tenant: str, patient_keys: Sequence[str], code: tuple[str, str]) -> str | None:
    """The thread of a diagnosis (system and code) in the patient's problem list; None where none was written."""
    system, of_system = code
    query = select(labels.c.thread).where(
        labels.c.tenant == tenant,
        labels.c.source == Source.CONDITION,
        labels.c.patient_key.in_(patient_keys),
        labels.c.code_system == system,
        labels.c.code == of_system,
    )
    return connection.execute(query.order_by(labels.c.received_at.desc()).limit(1)).scalar_one_or_none()


def labels_about(
    connection: Connection, tenant: str, prediction_id: UUID | None, patient_key: str | None
) -> tuple[Label, ...]:
    """Every event about the prediction, or about its patient and no prediction in particular."""
    return tuple(
        label_from_row(row)
        for row in connection.execute(select(*LABEL_COLUMNS).where(_about(tenant, prediction_id, patient_key)))
    )


def labels_of_threads(connection: Connection, tenant: str, patient_key: str, prefix: str) -> tuple[Label, ...]:
    """Every event about the patient in threads whose name begins so."""
    query = select(*LABEL_COLUMNS).where(
        labels.c.tenant == tenant, labels.c.patient_key == patient_key, labels.c.thread.startswith(prefix)
    )
    return tuple(label_from_row(row) for row in connection.execute(query))


def comments_on(connection: Connection, keyring: Keyring, found: Sequence[Label]) -> dict[UUID, str]:
    """The comments of these events, opened; who reads them is recorded by the caller."""
    query = select(labels.c.id, labels.c.key_id, labels.c.sealed).where(
        labels.c.id.in_([label.id for label in found]), labels.c.sealed.is_not(None)
    )
    return {
        row.id: unsealed(keyring, f"labels:{row.id}", row.sealed, key_id=row.key_id, where="labels").decode()
        for row in connection.execute(query)
    }


def count_before(connection: Connection, label: Label, *, day: datetime, minute: datetime) -> Counts:
    """The labels of this sender, author and source received since these moments."""
    is_authors = labels.c.author == label.author
    counted = select(
        func.count().filter(is_authors), func.count(), func.count().filter(is_authors, labels.c.received_at > minute)
    ).where(
        labels.c.tenant == label.tenant,
        labels.c.actor == label.actor,
        labels.c.source == label.source,
        labels.c.received_at > day,
    )
    return Counts(*connection.execute(counted).one())


def _about(tenant: str, prediction_id: UUID | None, patient_key: str | None) -> ColumnElement[bool]:
    of_patient = and_(labels.c.prediction_id.is_(None), labels.c.patient_key == patient_key)
    mine = [labels.c.prediction_id == prediction_id] if prediction_id is not None else []
    return and_(labels.c.tenant == tenant, or_(*mine, of_patient) if patient_key is not None else and_(*mine))


def label_from_row(row: Any) -> Label:
    """The event of a row of `LABEL_COLUMNS`."""
    values = dict(zip(_NAMES, row, strict=True))
    return Label(**{**values, "kind": Kind(values["kind"]), "source": Source(values["source"])})
