"""Feedback as it is stored: every report once, none changed, comments sealed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine, select

from cds_service.domain.feedback import OVERRIDDEN, Feedback
from cds_service.storage.change import Transaction, add_missing
from cds_service.storage.identity import Keyring, unsealed
from cds_service.storage.rollups import Part, count_again
from cds_service.storage.sessions import reading
from cds_service.storage.tables import feedback, predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackEntry:
    """One report to be stored, with who sent it; `comment` is free text and leaves here only encrypted."""

    report: Feedback
    tenant: str
    environment: str
    actor: str
    content_hash: bytes
    suggestions: Sequence[str] = ()
    comment: str = ""

    def __repr__(self) -> str:
        """Without the comment, which may name a patient."""
        return f"FeedbackEntry(id={self.report.id})"


def sealed_comment(keyring: Keyring, table: str, row_id: UUID, comment: str) -> dict[str, Any]:
    """The columns that keep a comment: encrypted and bound to its row, or empty."""
    if not comment:
        return {"key_id": None, "sealed": None}
    return {"key_id": keyring.key_id, "sealed": keyring.seal(f"{table}:{row_id}", comment.encode())}


def feedback_row(entry: FeedbackEntry, keyring: Keyring) -> dict[str, Any]:
    """The row of one report."""
    report = entry.report
    system, code = report.reason or (None, None)
    return {
        "id": report.id,
        "tenant": entry.tenant,
        "environment": entry.environment,
        "card": report.card,
        "outcome": report.outcome,
        "outcome_timestamp": report.outcome_timestamp,
        "content_hash": entry.content_hash,
        "received_at": report.received_at,
        "actor": entry.actor,
        "reason_system": system,
        "reason_code": code,
        "suggestions": msgspec.json.encode(list(entry.suggestions)).decode(),
        **sealed_comment(keyring, "feedback", report.id, entry.comment),
    }


def same_comment(keyring: Keyring, table: str, row: Any, comment: str) -> bool:
    """Whether this is the comment of a stored row, whichever key sealed it; an emptied one is no comment's."""
    if row.sealed is None or not comment:
        return row.sealed is None and not comment
    return unsealed(keyring, f"{table}:{row.id}", row.sealed, key_id=row.key_id, where=table) == comment.encode()


def is_stored(transaction: Transaction, entry: FeedbackEntry, keyring: Keyring) -> bool:
    """Whether the same report is stored, by what it says: its id is keyed, and another key gives it another id."""
    names = ("id", "suggestions", "reason_system", "reason_code", "key_id", "sealed")
    report, row = entry.report, feedback_row(entry, keyring)
    query = select(*(feedback.c[name] for name in names)).filter_by(
        tenant=entry.tenant, card=report.card, outcome=report.outcome, outcome_timestamp=report.outcome_timestamp
    )
    return any(
        found.id == report.id
        or (
            all(getattr(found, name) == row[name] for name in ("suggestions", "reason_system", "reason_code"))
            and same_comment(keyring, "feedback", found, entry.comment)
        )
        for found in transaction.execute(query)
    )


def add_feedback(transaction: Transaction, row: dict[str, Any]) -> bool:
    """Whether the report was new and is stored now; then the card's day is counted again."""
    is_new = add_missing(transaction, feedback, row)
    if is_new:
        count_again(transaction, [row["card"]], Part.REPORTS)
    return is_new


def reports_on(connection: Connection, tenant: str, card: UUID) -> list[Feedback]:
    """Every report on the card."""
    query = select(*REPORT_COLUMNS).where(feedback.c.tenant == tenant, feedback.c.card == card)
    return [report_from_row(row) for row in connection.execute(query)]


def overridden_cards(engine: Engine, since: datetime, systems: Collection[str]) -> dict[UUID, list[Feedback]]:
    """All reports on the cards that were overridden after this moment for a reason of these systems, by card."""
    recent = select(feedback.c.card).where(
        feedback.c.outcome_timestamp > since, feedback.c.outcome == OVERRIDDEN, feedback.c.reason_system.in_(systems)
    )
    found: dict[UUID, list[Feedback]] = {}
    with reading(engine) as connection:
        for row in connection.execute(select(*REPORT_COLUMNS).where(feedback.c.card.in_(recent))):
            found.setdefault(row.card, []).append(report_from_row(row))
    return found


@dataclass(frozen=True, slots=True)
class CardSubject:
    """Whose a card is, and what its prediction concluded (JSON)."""

    id: UUID
    tenant: str
    environment: str
    service: str
    patient_key: str | None
    outcome: bytes


def card_subjects(engine: Engine, cards: Collection[UUID]) -> list[CardSubject]:
    """The predictions behind these cards, whoever's they are."""
    columns = (predictions.c[name] for name in CardSubject.__slots__)
    with reading(engine) as connection:
        return [CardSubject(*row) for row in connection.execute(select(*columns).where(predictions.c.id.in_(cards)))]


REPORT_COLUMNS = tuple(
    feedback.c[name]
    for name in ("id", "card", "outcome", "outcome_timestamp", "received_at", "reason_system", "reason_code")
)


def report_from_row(row: Any) -> Feedback:
    """The report of a row of `REPORT_COLUMNS`."""
    reason = None if row.reason_system is None else (row.reason_system, row.reason_code)
    return Feedback(row.id, row.card, row.outcome, row.outcome_timestamp, row.received_at, reason)
