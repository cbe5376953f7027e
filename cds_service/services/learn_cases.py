"""Which confirmed cases a tenant's rankings learn from: worked out anew with each event of the ledger."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from cds_service.domain.label import Label, confirmations
from cds_service.services.received import Received
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Transaction
from cds_service.storage.label_ledger import labels_about
from cds_service.storage.overlay import CaseRow, cases_about, let_count

# Whatever is in the ledger counts, whichever process' clock was ahead.
EVER = datetime.max.replace(tzinfo=UTC)


def settle_cases(transaction: Transaction, label: Label, received: Received) -> tuple[AuditEvent, ...]:
    """Let each case about the label's prediction or patient count as the ledger now says; what to audit of it."""
    about = cases_about(transaction, label.tenant, label.prediction_id, label.patient_key)
    changed = [row for row in about if row.counts != _is_confirmed(transaction, row)]
    if not changed:
        return ()
    version = let_count(transaction, label.tenant, [(row.id, not row.counts) for row in changed])
    detail = msgspec.json.encode({"version": version}).decode()
    return tuple(
        received.event("unlearn" if row.counts else "learn", "rare-case", row.prediction_id, detail) for row in changed
    )


def _is_confirmed(transaction: Transaction, row: CaseRow) -> bool:
    labels = labels_about(transaction, row.tenant, row.prediction_id, row.patient_key)
    return row.id in {confirmation.id for confirmation in confirmations(labels, EVER)}
