"""One HL7 v2 message as it came, and what messages are received with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cds_service.domain.actor import Actor
from cds_service.domain.prediction import Prediction
from cds_service.hl7.message import Message
from cds_service.hl7.reader import read_message, refuse_ahead
from cds_service.monitoring.feeds import Feeds
from cds_service.services.assess_message import Assessor
from cds_service.services.received import Received
from cds_service.storage.change import Change
from cds_service.storage.identity import Keyring
from cds_service.storage.message_log import MessageLog


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message as it came: its bytes, from whom, when, and the id it is stored under."""

    id: UUID
    raw: bytes
    actor: Actor
    at: datetime

    @property
    def control_id(self) -> str:
        """MSH-10 of what we answer: 19 characters that grow with time; HL7 v2 up to 2.6 takes 20."""
        return f"{self.id.int >> 80:012X}{self.id.int & 0xFFFFFFF:07X}"


@dataclass(frozen=True, slots=True)
class Intake:
    """What messages are received with: how they are read, assessed and stored, and offered to challengers."""

    assessor: Assessor
    log: MessageLog
    keyring: Keyring
    submit: Callable[[Change[Any]], Any]
    feeds: Feeds
    offer: Callable[[Prediction, Actor], None]
    is_strict: bool = False

    def read(self, raw: bytes, at: datetime) -> Message:
        """What a message of this moment says; InvalidMessage when it is not one to take."""
        site = self.assessor.site
        return refuse_ahead(read_message(raw, site=site.hl7), at + site.reading.future_tolerance)

    def received(self, arrival: Arrival) -> Received:
        """Who sent a message and when, as the ledger of labels is told."""
        return Received(arrival.actor, arrival.at, self.assessor.site.feedback, self.keyring)
