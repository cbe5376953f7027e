"""The list of erased patients: keyed hashes that keep a file or a dataset from bringing them back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, select

from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied, Change, Transaction, add_missing
from cds_service.storage.tables import erasures


def list_erased(
    patient_keys: Sequence[str], *, tenant: str, key_id: str, at: datetime, event: AuditEvent
) -> Change[Counter[str]]:
    """Remember that the patient of these keys was erased; nothing is counted, for nothing was deleted yet."""

    def change(transaction: Transaction) -> Applied[Counter[str]]:
        rows = [{"patient_key": key, "tenant": tenant, "key_id": key_id, "erased_at": at} for key in patient_keys]
        is_new = [add_missing(transaction, erasures, row) for row in rows]
        listed = msgspec.structs.replace(event, detail='{"listed":1}')
        return Applied(Counter(), [listed] if any(is_new) else [])

    return change


def read_erased(connection: Connection) -> frozenset[str]:
    """The keys of every patient that was erased."""
    return frozenset(connection.execute(select(erasures.c.patient_key)).scalars())
