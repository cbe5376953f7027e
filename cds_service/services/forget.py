"""Letting patients' data go: all of it that is older than it may be kept, or all of one patient."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from cds_service.domain.actor import Actor
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Change
from cds_service.storage.erasure_list import list_erased
from cds_service.storage.identity import Keyring
from cds_service.storage.personal import BATCH, forget_old, forget_patient
from cds_service.storage.raw_messages import delete_messages, empty_old

Submit = Callable[[Change[Counter[str]]], Counter[str]]

# Segments that say whose record a message is about.
_SEGMENTS = re.compile(rb"(?:^|[\r\n])(?:PID|MRG)[^\r\n]*")


class Retention(NamedTuple):
    """For how many days records are kept, and the bytes of HL7 v2 messages; 0 keeps them."""

    days: int = 0
    message_days: int = 0


def forget_what_is_old(submit: Submit, retention: Retention, *, actor: Actor, at: datetime) -> Counter[str]:
    """Delete in batches what is older than it may be kept: how many rows of each table.

    The audit log keeps its rows: they hold ids and counts. What was deleted stays deleted when this stops half way.
    """
    total: Counter[str] = Counter()
    for days, forget in ((retention.message_days, empty_old), (retention.days, forget_old)):
        if days:
            before = at - timedelta(days=days)
            event = _event("retention", before.date().isoformat(), actor, at)
            total += _until_none_is_left(submit, forget(before, event))
    return total


def forget_one_patient(
    submit: Submit, keyring: Keyring, patient_id: str, *, actor: Actor, at: datetime, reference: str
) -> Counter[str]:
    """Delete all that is held of the tenant's patient, who is listed as erased first.

    The audit log names the request, not the patient.
    """
    keys = keyring.patient_keys(actor.tenant, patient_id)
    event = _event("erasure", reference, actor, at)
    submit(list_erased(keys, tenant=actor.tenant, key_id=keyring.key_id, at=at, event=event))
    return _until_none_is_left(submit, forget_patient(keys, _event("erasure", reference, actor, at)))


def forget_messages(
    submit: Submit, kept: Iterable[tuple[UUID, bytes]], patient_id: str, *, actor: Actor, at: datetime, reference: str
) -> Counter[str]:
    """Delete the HL7 v2 messages that name a patient (`system|value`).

    `kept` are id and bytes of the tenant's messages: of those refused, or about several patients, no row says whose
    they are. One call of this comes before `forget_one_patient`.
    """
    value = patient_id.partition("|")[2]
    naming = [message_id for message_id, raw in kept if _names(raw, value)] if value else []
    total: Counter[str] = Counter()
    for start in range(0, len(naming), BATCH):
        event = _event("erasure", reference, actor, at)
        total += submit(delete_messages(naming[start : start + BATCH], event))
    return total


def _names(raw: bytes, value: str) -> bool:
    """Whether a message names the patient as one it is about; where no segment says of whom it is, anywhere in it."""
    about = b"\r".join(_SEGMENTS.findall(raw)) or raw
    return re.search(rb"(?<![0-9A-Za-z])" + re.escape(value.encode()) + rb"(?![0-9A-Za-z])", about) is not None


def _until_none_is_left(submit: Submit, change: Change[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    while counts := submit(change):
        total += counts
    return total


def _event(action: str, about: str, actor: Actor, at: datetime) -> AuditEvent:
    return AuditEvent(
        at=at, tenant=actor.tenant, actor=actor.name, action=action, object_type="records", object_id=about
    )
