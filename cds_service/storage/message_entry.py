"""What a use case hands over of one HL7 v2 message to be stored, and how it is told it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import msgspec

from cds_service.domain.patient import Identity
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.prediction_log import PredictionEntry
from cds_service.storage.reading_log import PatientEntry, PatientEvent


class Status(StrEnum):
    """What became of a message."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    PENDING = "pending"  # acknowledged, and scored later
    IGNORED = "ignored"  # acknowledged, and nothing in it is for us


class MessageEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One message to be stored. `accept` and `application` are its acknowledgments, None where none is sent."""

    id: UUID
    tenant: str
    environment: str
    actor: str
    sender: str
    control_id: str
    sha256: bytes
    type: str
    status: Status
    received_at: datetime
    raw: bytes
    reason: str = ""
    remarks: tuple[str, ...] = ()
    accept: bytes | None = None
    application: bytes | None = None

    def __repr__(self) -> str:
        """Only the id: the rest is about a patient."""
        return f"MessageEntry(id={self.id})"

    @property
    def key(self) -> tuple[str, str, str, str, bytes]:
        """What the same message has in common however often it comes, the hash of its bytes last."""
        return self.tenant, self.environment, self.sender, self.control_id, self.sha256

    @property
    def stored(self) -> StoredMessage:
        """How it is acknowledged when it was stored as new."""
        return StoredMessage(self.id, self.status, self.accept, self.application, repeated=False)

    def event(
        self, action: str, object_id: UUID, detail: Mapping[str, str | int], object_type: str = "message"
    ) -> AuditEvent:
        """The audit event of something this message did."""
        return AuditEvent(
            at=self.received_at,
            tenant=self.tenant,
            actor=self.actor,
            action=action,
            object_type=object_type,
            object_id=str(object_id),
            detail=msgspec.json.encode(detail).decode(),
        )


class StoredMessage(NamedTuple):
    """How a message is acknowledged: as it is now, or as it was when the same bytes came first (`repeated`)."""

    id: UUID
    status: str
    accept: bytes | None
    application: bytes | None
    repeated: bool


class Brought(NamedTuple):
    """What a message brought beside itself: predictions, its patients' readings, and what became of records."""

    made: Sequence[PredictionEntry] = ()
    patients: Sequence[PatientEntry] = ()
    events: Sequence[PatientEvent] = ()
    mentioned: Sequence[Identity] = ()  # known by an identifier only: whose record went into another
