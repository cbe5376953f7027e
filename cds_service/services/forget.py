"""Letting patients' data go: all of it that is older than it may be kept, or all of one patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from cds_service.domain.actor import Actor
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Change
from cds_service.storage.identity import Keyring
from cds_service.storage.personal import forget_old, forget_patient

Submit = Callable[[Change[Counter[str]]], Counter[str]]


def forget_what_is_old(submit: Submit, retention_days: int, *, actor: Actor, at: datetime) -> Counter[str]:
    """Delete in batches what is older than so many days: how many rows of each table.

    The audit log keeps its rows: they hold ids and counts. What was deleted stays deleted when this stops half way.
    """
    before = at - timedelta(days=retention_days)
    event = _event("retention", before.date().isoformat(), actor, at)
    return _until_none_is_left(submit, forget_old(before, event))


def forget_one_patient(
    submit: Submit, keyring: Keyring, patient_id: str, *, actor: Actor, at: datetime, reference: str
) -> Counter[str]:
    """Delete all that is held of the tenant's patient; the audit log names the request, not the patient."""
    keys = keyring.patient_keys(actor.tenant, patient_id)
    return _until_none_is_left(submit, forget_patient(keys, _event("erasure", reference, actor, at)))


def _until_none_is_left(submit: Submit, change: Change[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    while counts := submit(change):
        total += counts
    return total


def _event(action: str, about: str, actor: Actor, at: datetime) -> AuditEvent:
    return AuditEvent(
        at=at, tenant=actor.tenant, actor=actor.name, action=action, object_type="records", object_id=about
    )
