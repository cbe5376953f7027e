"""Diagnoses of a visit in a Bundle (FHIR Condition): labels of a patient something was predicted for before.

The prediction made of the same Bundle has them among its inputs, so it is no reason to enter them: a label only says
something of what was predicted without it (docs/reference/labels.md#conditions-in-bundles).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time
from uuid import UUID

from cds_service.domain.label import Kind, Label, Source
from cds_service.fhir.conditions import StatedDiagnosis
from cds_service.services.enter_label import enter_label, label_id
from cds_service.services.patient_labels import OLDEST, says_more
from cds_service.services.received import Received
from cds_service.services.record_diagnoses import is_label
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied, Transaction
from cds_service.storage.subjects import keys_predicted_before
from cds_service.storage.writer import GroupWriter


def label_conditions(
    stated: Sequence[StatedDiagnosis], patient_id: str, prediction: UUID, received: Received, *, writer: GroupWriter
) -> list[Label]:
    """The labels that were new: `prediction` is the one made of the same Bundle, and is stored."""
    taken = [one for one in stated if is_label(one) and (one.is_withdrawn or _is_recent(one, received.at))]
    if not taken or not patient_id:
        return []

    def change(transaction: Transaction) -> Applied[list[Label]]:
        events: list[AuditEvent] = []
        new: list[Label] = []
        keys = received.keyring.patient_keys(received.actor.tenant, patient_id)
        for key in keys_predicted_before(transaction, prediction, keys):
            for one in taken:
                label = _label(one, key, received)
                # A version that tells its time is the same event whenever it comes; others are compared with the last.
                if one.at is None and not says_more(transaction, label):
                    continue
                added, audited = enter_label(transaction, label, received)
                events += audited
                new += [added] if audited else []
        return Applied(new, events)

    return writer.submit_change(change)


def _label(stated: StatedDiagnosis, key: str, received: Received) -> Label:
    kind = Kind.WITHDRAWAL if stated.is_withdrawn else Kind.LABEL
    stands_at = stated.said_at(received.at)
    thread = label_id(received, "fhir-condition-thread", key, stated.system, stated.code)
    return Label(
        id=label_id(received, "fhir-condition", str(thread), kind.value, stands_at.isoformat()),
        kind=kind,
        thread=f"{Source.FHIR.value}:{thread}",
        source=Source.FHIR,
        **received.caller,
        author="",
        observed_at=_observed_at(stated, received.at),
        stands_at=stands_at,
        saw_prediction="unknown",
        patient_key=key,
        code_system=stated.system,
        code=stated.code,
    )


def _is_recent(stated: StatedDiagnosis, now: datetime) -> bool:
    return now - _observed_at(stated, now) <= OLDEST


def _observed_at(stated: StatedDiagnosis, now: datetime) -> datetime:
    """The end of the day it was recorded, no later than it was said: one of an earlier visit stays there."""
    said_at = stated.said_at(now)
    return said_at if stated.recorded is None else min(said_at, datetime.combine(stated.recorded, time.max, UTC))
