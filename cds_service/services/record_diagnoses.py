"""Diagnoses a clinician wrote into the problem list: labels of the patient, stored once however often it comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_OID, uuid5

import msgspec

from cds_service.domain.label import Kind, Label, Source, is_understood
from cds_service.fhir.conditions import StatedDiagnosis
from cds_service.services.enter_label import enter_label, label_id
from cds_service.services.received import Received
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.call_log import note_call
from cds_service.storage.change import Applied, Transaction
from cds_service.storage.label_ledger import find_thread
from cds_service.storage.writer import GroupWriter

_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class DiagnosisCall:
    """One hook call: its key, its content's hash, the reply it gets, and the clinician and patient it names."""

    service: str
    hook_instance: str
    request_hash: bytes
    reply: bytes
    author: str
    patient_id: str


def record_diagnoses(
    stated: Sequence[StatedDiagnosis], call: DiagnosisCall, received: Received, *, writer: GroupWriter
) -> tuple[bytes, list[Label]]:
    """The reply after the commit, the stored one where the call came before, and the labels that were new.

    Raises Conflict when the hookInstance came before with other content.
    """
    taken = [one for one in stated if is_label(one)]
    key = (received.actor.tenant, call.service, call.hook_instance)

    def change(transaction: Transaction) -> Applied[tuple[bytes, list[Label]]]:
        earlier = note_call(transaction, key, request_hash=call.request_hash, reply=call.reply, at=received.at)
        if earlier is not None:
            return Applied((earlier, []), [received.event("replay", "hook-call", call.hook_instance)])
        counts = _encode({"labels": len(taken), "left_out": len(stated) - len(taken)}).decode()
        events: list[AuditEvent] = [received.event("diagnoses", "hook-call", call.hook_instance, counts)]
        new: list[Label] = []
        for one in taken:
            entered, audited = enter_label(transaction, _label(transaction, one, call, received), received)
            events += audited
            new += [entered] if audited else []
        return Applied((call.reply, new), events)

    return writer.submit_change(change, token=received.token)


def is_label(stated: StatedDiagnosis) -> bool:
    """Whether it is a present diagnosis, or one taken back, in a system whose codes are understood."""
    return stated.left_out is None and is_understood(stated.system, stated.code)


def _label(transaction: Transaction, stated: StatedDiagnosis, call: DiagnosisCall, received: Received) -> Label:
    actor = received.actor
    kind = Kind.WITHDRAWAL if stated.is_withdrawn else Kind.LABEL
    stands_at = stated.said_at(received.at)
    patient_key, *earlier = received.keyring.patient_keys(actor.tenant, call.patient_id)
    code = (stated.system, stated.code)
    # A thread begun under another key goes on: a diagnosis is withdrawn where it was written.
    thread = find_thread(transaction, actor.tenant, [patient_key, *earlier], code)
    thread = thread or f"condition:{label_id(received, 'condition-thread', patient_key, *code)}"
    return Label(
        id=uuid5(NAMESPACE_OID, f"{thread} {kind.value} {stands_at.isoformat()} {call.author}"),
        kind=kind,
        thread=thread,
        source=Source.CONDITION,
        **received.caller,
        author=call.author,
        observed_at=stands_at,
        stands_at=stands_at,
        saw_prediction="unknown",
        patient_key=patient_key,
        code_system=stated.system,
        code=stated.code,
    )
