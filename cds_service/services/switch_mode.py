"""Switching the mode of a tenant: a row with who and why, audited, in force in every worker within seconds."""

from __future__ import annotations

from datetime import datetime

import msgspec

from cds_service.domain.actor import Actor
from cds_service.domain.mode import Mode
from cds_service.errors import BadRequest
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied, Transaction
from cds_service.storage.modes import ModeSwitch, add_switch, mode_history
from cds_service.storage.writer import GroupWriter

MAX_REASON = 200


def switch_mode(mode: Mode, reason: str, actor: Actor, *, at: datetime, writer: GroupWriter) -> ModeSwitch:
    """The switch in force for the actor's tenant, after the commit; the same mode and reason again change nothing."""
    if not reason.strip() or len(reason) > MAX_REASON or not reason.isprintable():
        raise BadRequest(f"say why in 1 to {MAX_REASON} printable characters, without patient data", where="--reason")
    switch = ModeSwitch(actor.tenant, mode, reason.strip(), actor.name, at)

    def change(transaction: Transaction) -> Applied[ModeSwitch]:
        earlier = mode_history(transaction, switch.tenant)
        if earlier and (earlier[-1].mode, earlier[-1].reason) == (switch.mode, switch.reason):
            return Applied(earlier[-1])
        add_switch(transaction, switch)
        event = AuditEvent(
            at=at,
            tenant=switch.tenant,
            actor=switch.actor,
            action="mode",
            object_type="tenant",
            object_id=switch.tenant,
            detail=msgspec.json.encode({"mode": switch.mode.value}).decode(),
        )
        return Applied(switch, [event])

    return writer.submit_change(change)
