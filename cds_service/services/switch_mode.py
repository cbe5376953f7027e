"""Switching the mode of a tenant: a row with who and why, audited, in force in every worker within seconds."""

from __future__ import annotations

from datetime import datetime

import msgspec

from cds_service.domain.actor import Actor
from cds_service.domain.mode import Mode
from cds_service.services.reasons import require_reason
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied, Transaction
from cds_service.storage.modes import ModeSwitch, add_switch, mode_history
from cds_service.storage.writer import GroupWriter


def switch_mode(mode: Mode, reason: str, actor: Actor, *, at: datetime, writer: GroupWriter) -> ModeSwitch:
    """The switch in force for the actor's tenant, after the commit; the same mode and reason again change nothing."""
    switch = ModeSwitch(actor.tenant, mode, require_reason(reason), actor.name, at)

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
