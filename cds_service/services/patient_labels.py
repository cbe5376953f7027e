"""What diagnoses that arrive beside other things have in common, by HL7 v2 or FHIR: labels of a patient."""

from __future__ import annotations

from datetime import timedelta

from cds_service.domain.label import Kind, Label
from cds_service.storage.change import Transaction
from cds_service.storage.label_ledger import labels_about

# Chosen by us, longer than nearly any stay: an older diagnosis is history, and says nothing of what was predicted.
OLDEST = timedelta(days=90)


def says_more(transaction: Transaction, label: Label) -> bool:
    """Whether not the same was said of it last: many systems send every diagnosis with every event.

    The deletion of an old diagnosis counts where that became a label when it was young.
    """
    known = [
        one
        for one in labels_about(transaction, label.tenant, None, label.patient_key)
        if one.thread == label.thread and one.kind is not Kind.RELEASE and one.stands_at <= label.stands_at
    ]
    last = max(known, key=lambda one: (one.stands_at, one.kind is Kind.WITHDRAWAL), default=None)
    if last is None:
        return label.kind is not Kind.WITHDRAWAL or label.stands_at - label.observed_at <= OLDEST
    return last.kind is not label.kind
