"""Findings in a patient's HL7 v2 messages, for a ranking whose caller sends none: used when all agrees on who it is."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from cds_service.domain.actor import Actor
from cds_service.domain.finding_codes import FindingCodes
from cds_service.domain.patient import PatientSnapshot
from cds_service.domain.phenotype import Heard
from cds_service.hl7.findings import Stated, heard_from, statements_of
from cds_service.hl7.message import Message
from cds_service.hl7.reader import read_message
from cds_service.hl7.site import SiteMap
from cds_service.hl7.snapshot import identity_from_message
from cds_service.services.keep_readings import visit_hash
from cds_service.services.stored_readings import own_keys, read_records
from cds_service.storage.identity import Keyring
from cds_service.storage.sessions import reading
from cds_service.storage.stored_messages import newest_of

# What the card says: that messages were read, or that they may be of somebody else.
BY_MESSAGE, NOT_AGREED = "findings-by-message", "stored-findings-not-agreed"
# Messages looked through, the newest; their bytes are kept for CDS_MESSAGE_RETENTION_DAYS. Chosen by us.
MOST_MESSAGES = 50


@dataclass(frozen=True, slots=True)
class FindingsStore:
    """Where a patient's messages are, and by which site's names they are read."""

    engine: Engine
    keyring: Keyring
    site: SiteMap

    def hear(self, snapshot: PatientSnapshot, actor: Actor, codes: FindingCodes) -> Heard:
        """What the newest messages of the patient say of findings, with a remark where any was used or left out."""
        own = own_keys(snapshot.identity, actor, self.keyring)
        if not own:
            return Heard(())
        with reading(self.engine) as connection:
            keys, records = read_records(connection, own, actor)
            found = newest_of(
                connection,
                self.keyring,
                tenant=actor.tenant,
                environment=actor.environment,
                keys=keys,
                limit=MOST_MESSAGES,
            )
        stated: list[Stated] = []
        remarks: set[str] = set()
        for key, raw in found:
            message = read_message(raw, site=self.site)
            said = self._said(message, raw, codes)
            if said and not records.holds(key, visit_hash(message.patients[0].visit, self.keyring)):
                continue
            if said and not _agrees(message, snapshot):
                remarks.add(NOT_AGREED)
                continue
            stated += said
        heard = heard_from(stated)
        if heard.findings or heard.unmapped:
            remarks.add(BY_MESSAGE)
        return Heard(heard.findings, heard.unmapped, tuple(sorted(remarks)))

    def _said(self, message: Message, raw: bytes, codes: FindingCodes) -> list[Stated]:
        """The statements of a message of one patient; the last of them first, for it is the newest."""
        if len(message.patients) != 1 or not message.is_scorable:
            return []
        return statements_of(raw, message, codes=codes, site=self.site)[::-1]


def _agrees(message: Message, snapshot: PatientSnapshot) -> bool:
    """Whether birth date and sex were said on both sides, and are the same."""
    sent = message.patients[0]
    birth = identity_from_message(sent, at=snapshot.at).birth_date
    return None not in (birth, sent.sex) and (birth, sent.sex) == (snapshot.identity.birth_date, snapshot.sex)
