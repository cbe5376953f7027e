"""Feedback on cards: a call is stored whole or not at all, a report once, and an override may carry a label."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid5

import msgspec

from cds_service.cdshooks.feedback import Report
from cds_service.cdshooks.override_reasons import STATES_BY_REASON
from cds_service.domain.feedback import Feedback, diagnosing_reports
from cds_service.domain.label import Kind, Label, Source, rare_coding
from cds_service.errors import NotFound
from cds_service.services.enter_label import enter_label
from cds_service.services.received import Received
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied, Transaction
from cds_service.storage.feedback_log import FeedbackEntry, add_feedback, feedback_row, is_stored, reports_on
from cds_service.storage.subjects import Subject, read_subjects
from cds_service.storage.writer import GroupWriter


def record_feedback(
    reports: Sequence[Report], service: str, received: Received, *, writer: GroupWriter
) -> list[Feedback]:
    """The reports that were new, after the commit.

    Raises NotFound, naming each place, when a card is unknown, another tenant's or another service's; then nothing
    is stored.
    """
    entries = [_entry(report, received) for report in reports]

    def change(transaction: Transaction) -> Applied[list[Feedback]]:
        subjects = _subjects(transaction, entries, service)
        new = [entry.report for entry in entries if _add(transaction, entry, received)]
        events = [received.event("feedback", "feedback", report.id) for report in new]
        for card in dict.fromkeys(report.card for report in new):
            events += _enter_labels(transaction, subjects[card], received)
        return Applied(new, events)

    return writer.submit_change(change, token=received.token)


def _add(transaction: Transaction, entry: FeedbackEntry, received: Received) -> bool:
    """Whether the report was new and is stored now."""
    if is_stored(transaction, entry, received.keyring):
        return False
    return add_feedback(transaction, feedback_row(entry, received.keyring))


def _entry(report: Report, received: Received) -> FeedbackEntry:
    moment = report.outcome_timestamp.isoformat()
    content = [str(report.card), report.outcome, moment, report.suggestions, report.reason, report.comment]
    digest = received.keyring.fingerprint(msgspec.json.encode([received.actor.tenant, *content]))
    return FeedbackEntry(
        report=Feedback(
            id=UUID(bytes=digest),
            card=report.card,
            outcome=report.outcome,
            outcome_timestamp=report.outcome_timestamp,
            received_at=received.at,
            reason=report.reason,
        ),
        tenant=received.actor.tenant,
        environment=received.actor.environment,
        actor=received.actor.name,
        content_hash=digest,
        suggestions=report.suggestions,
        comment=report.comment,
    )


def _subjects(transaction: Transaction, entries: Sequence[FeedbackEntry], service: str) -> dict[UUID, Subject]:
    """The predictions behind the cards; a card that was never shown is as unknown as none."""
    if not entries:
        return {}
    first = entries[0]
    found = read_subjects(transaction, first.tenant, first.environment, {entry.report.card for entry in entries})
    known = {card for card, subject in found.items() if subject.service == service and subject.shown}
    unknown = [f"feedback[{n}].card" for n, entry in enumerate(entries) if entry.report.card not in known]
    if unknown:
        text = "no such card"
        raise NotFound(text, where=unknown[0], details=tuple((where, text) for where in unknown[1:]))
    return found


def _enter_labels(transaction: Transaction, subject: Subject, received: Received) -> list[AuditEvent]:
    """Bring the ledger up to all reports on the card: what is there already is left as it is."""
    events: list[AuditEvent] = []
    reports = reports_on(transaction, received.actor.tenant, subject.id)
    for report, said in diagnosing_reports(reports, {**STATES_BY_REASON, **_rare_reasons(reports)}):
        label = _label(report, said, subject, received)
        events += enter_label(transaction, label, received, subject=subject)[1]
    return events


def _rare_reasons(reports: Sequence[Feedback]) -> dict[tuple[str, str], str]:
    """Reasons that are the code of a rare disease, as the card offers its candidates."""
    named = [report.reason for report in reports if report.reason is not None]
    return {reason: reason[1] for reason in named if rare_coding([reason]) is not None}


def _label(report: Feedback, said: str | None, subject: Subject, received: Received) -> Label:
    """The label an override carries, or the withdrawal of earlier ones where a later report carries none."""
    actor = received.actor
    state = None if report.reason is None else STATES_BY_REASON.get(report.reason)
    system, code = (None, None) if said is None or report.reason is None or state is not None else report.reason
    return Label(
        id=uuid5(report.id, "label"),
        kind=Kind.WITHDRAWAL if said is None else Kind.LABEL,
        thread=f"feedback:{subject.id}",
        source=Source.FEEDBACK,
        tenant=actor.tenant,
        environment=actor.environment,
        actor=actor.name,
        author="",
        role=actor.role,
        observed_at=report.outcome_timestamp,
        stands_at=report.outcome_timestamp,
        received_at=received.at,
        saw_prediction="yes",
        prediction_id=subject.id,
        patient_key=subject.patient_key,
        category=None if said is None else state,
        code_system=system,
        code=code,
    )
