"""The ledger of labels: events are added, none is changed or removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from cds_service.domain.label import Kind, Label, Source
from cds_service.errors import Unavailable
from cds_service.storage.change import Transaction, add_missing
from cds_service.storage.feedback_log import sealed_comment
from cds_service.storage.identity import Keyring, unsealed
from cds_service.storage.tables import labels

_NAMES = tuple(field.name for field in fields(Label))
LABEL_COLUMNS = tuple(labels.c[name] for name in _NAMES)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many labels came before: from the author and the sender since `day`, from the author since `minute`."""

    author_today: int
    sender_today: int
    author_last_minute: int


def add_label(transaction: Transaction, label: Label, comment: str, keyring: Keyring) -> Label:
    """The event as the ledger holds it: this one, or the same that came before."""
    row = {name: getattr(label, name) for name in _NAMES} | sealed_comment(keyring, "labels", label.id, comment)
    if add_missing(transaction, labels, row):
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


def labels_about(
    connection: Connection, tenant: str, prediction_id: UUID | None, patient_key: str | None
) -> tuple[Label, ...]:
    """Every event about the prediction, or about its patient and no prediction in particular."""
    return tuple(
        label_from_row(row)
        for row in connection.execute(select(*LABEL_COLUMNS).where(_about(tenant, prediction_id, patient_key)))
    )


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
