"""Bringing every patient under a new `CDS_SECRET_KEY` while the service runs on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from cds_service.domain.actor import Actor
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Change
from cds_service.storage.identity import Keyring
from cds_service.storage.key_rotation import rotate_some


def rotate_key(submit: Callable[[Change[int]], int], keyring: Keyring, *, actor: Actor, at: datetime) -> int:
    """How many patients and comments were brought under the keyring's own key; run again, it goes on where it stopped.

    The last batch is empty and recorded too, so that the audit chain is sealed with the new key in the end.
    """
    event = AuditEvent(
        at=at, tenant="", actor=actor.name, action="key-rotation", object_type="records", object_id=keyring.key_id
    )
    total = 0
    while done := submit(rotate_some(keyring, event)):
        total += done
    return total
