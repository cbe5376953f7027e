"""Who sent something and when it came: what every use case that stores labels is told beside its content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from cds_service.domain.actor import Actor
from cds_service.domain.policy import FeedbackPolicy
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.identity import Keyring
from cds_service.storage.token_log import TokenUse


class CallerFields(TypedDict):
    """The fields of a label that come from its call."""

    tenant: str
    environment: str
    actor: str
    role: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Received:
    """One call: its actor, its moment, the token it showed, and the rules and keys its content is stored under."""

    actor: Actor
    at: datetime
    policy: FeedbackPolicy
    keyring: Keyring
    token: TokenUse | None = None

    @property
    def caller(self) -> CallerFields:
        """What every label of this call says of who sent it."""
        return {
            "tenant": self.actor.tenant,
            "environment": self.actor.environment,
            "actor": self.actor.name,
            "role": self.actor.role,
            "received_at": self.at,
        }

    def event(self, action: str, object_type: str, object_id: object, detail: str = "{}") -> AuditEvent:
        """The audit event of something this call did."""
        return AuditEvent(
            at=self.at,
            tenant=self.actor.tenant,
            actor=self.actor.name,
            action=action,
            object_type=object_type,
            object_id=str(object_id),
            detail=detail,
        )
