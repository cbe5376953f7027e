"""What each tenant learned of rare diseases: confirmed cases, and a version that grows with every change of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, and_, or_, select, update

from cds_service.domain.case_counts import ValidatedCase
from cds_service.storage.change import Transaction, add_missing
from cds_service.storage.sessions import reading
from cds_service.storage.statements import insert_into
from cds_service.storage.tables import rare_cases, rare_overlays


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """The case of one confirmation; `id` is the confirmation's, `counts` whether it is part of the overlay."""

    id: UUID
    tenant: str
    prediction_id: UUID
    patient_key: str | None
    case: ValidatedCase
    counts: bool
    received_at: datetime


class Overlay(NamedTuple):
    """A tenant's cases that count, and their version; 0 where there never was one."""

    version: int
    cases: tuple[ValidatedCase, ...] = ()


def person_of(prediction_id: UUID, patient_key: str | None) -> str:
    """What all cases of one patient have in common; a ranking for nobody named is a patient of its own."""
    return patient_key or f"prediction:{prediction_id}"


def read_version(engine: Engine, tenant: str) -> int:
    """The version of the tenant's overlay."""
    with reading(engine) as connection:
        return version_of(connection, tenant)


def read_overlay(engine: Engine, tenant: str) -> Overlay:
    """The tenant's overlay, version and cases of one moment."""
    with reading(engine) as connection:
        return overlay_of(connection, tenant)


def overlay_of(connection: Connection, tenant: str) -> Overlay:
    """The tenant's overlay as this connection sees it."""
    query = select(rare_cases).where(rare_cases.c.tenant == tenant, rare_cases.c.counts).order_by(rare_cases.c.id)
    version = version_of(connection, tenant)
    return Overlay(version, tuple(_row(row).case for row in connection.execute(query)))


def newest_cases(connection: Connection, tenant: str, *, limit: int) -> list[ValidatedCase]:
    """The tenant's confirmed cases that count, newest first."""
    query = select(rare_cases).where(rare_cases.c.tenant == tenant, rare_cases.c.counts)
    query = query.order_by(rare_cases.c.received_at.desc(), rare_cases.c.id).limit(limit)
    return [_row(row).case for row in connection.execute(query)]


def cases_about(
    connection: Connection, tenant: str, prediction_id: UUID | None, patient_key: str | None
) -> tuple[CaseRow, ...]:
    """Cases, counting or not, of the prediction or of the patient."""
    mine = [rare_cases.c.prediction_id == prediction_id] if prediction_id is not None else []
    theirs = [rare_cases.c.patient_key == patient_key] if patient_key is not None else []
    query = select(rare_cases).where(rare_cases.c.tenant == tenant, or_(*mine, *theirs))
    return tuple(map(_row, connection.execute(query))) if mine or theirs else ()


def add_case(transaction: Transaction, row: CaseRow) -> None:
    """Keep the case of a confirmation; it does not count before it is told to."""
    values = {name: getattr(row, name) for name in ("id", "tenant", "prediction_id", "patient_key", "received_at")}
    found = {name: " ".join(sorted(getattr(row.case, name))) for name in ("observed", "excluded")}
    add_missing(transaction, rare_cases, {**values, **found, "disease": row.case.disease, "counts": False})


def let_count(transaction: Transaction, tenant: str, changed: Sequence[tuple[UUID, bool]]) -> int:
    """Take these cases into the overlay or out of it: the overlay's new version."""
    for case_id, counts in changed:
        transaction.execute(update(rare_cases).where(rare_cases.c.id == case_id).values(counts=counts))
    first = insert_into(rare_overlays, transaction.dialect).values(tenant=tenant, version=1)
    grown = first.on_conflict_do_update(index_elements=["tenant"], set_={"version": rare_overlays.c.version + 1})
    return int(transaction.execute(grown.returning(rare_overlays.c.version)).scalar_one())


def move_overlays(connection: Connection, going: ColumnElement[bool]) -> None:
    """Another version for each tenant some of whose cases, those of the condition, are about to be deleted."""
    tenants = select(rare_cases.c.tenant).where(and_(going, rare_cases.c.counts))
    moved = update(rare_overlays).where(rare_overlays.c.tenant.in_(tenants))
    connection.execute(moved.values(version=rare_overlays.c.version + 1))


def version_of(connection: Connection, tenant: str) -> int:
    """The version of the tenant's overlay as this connection sees it."""
    query = select(rare_overlays.c.version).where(rare_overlays.c.tenant == tenant)
    return connection.execute(query).scalar_one_or_none() or 0


def _row(row: Any) -> CaseRow:
    return CaseRow(
        id=row.id,
        tenant=row.tenant,
        prediction_id=row.prediction_id,
        patient_key=row.patient_key,
        case=ValidatedCase(
            person=person_of(row.prediction_id, row.patient_key),
            disease=row.disease,
            observed=frozenset(row.observed.split()),
            excluded=frozenset(row.excluded.split()),
        ),
        counts=row.counts,
        received_at=row.received_at,
    )
