"""A second clinician confirms the rare disease a label names, or takes that back; its case counts from then on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid5

from sqlalchemy import Engine

from cds_service.domain.case_counts import ValidatedCase
from cds_service.domain.label import Kind, Label, Source
from cds_service.errors import Conflict, Forbidden, NotFound
from cds_service.inference.ranker_effect import moves_too_much
from cds_service.inference.ranker_service import RareDiseases
from cds_service.services.confirmable import Confirmable, case_of, find_confirmable
from cds_service.services.enter_label import enter_label
from cds_service.services.overlays import index_of
from cds_service.services.received import Received
from cds_service.storage.change import Applied, Transaction
from cds_service.storage.overlay import CaseRow, Overlay, add_case, overlay_of, version_of
from cds_service.storage.sessions import reading
from cds_service.storage.writer import GroupWriter

# How often the effect of a case is worked out again because another case came in meanwhile. Chosen by us.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class ConfirmationRequest:
    """Which label of which prediction someone confirms, or whose confirmation they take back."""

    prediction_id: UUID
    label_id: UUID
    comment: str = ""

    def __repr__(self) -> str:
        """Without the comment, which may name a patient."""
        return f"ConfirmationRequest({self.label_id})"


def confirm_label(
    request: ConfirmationRequest, received: Received, *, writer: GroupWriter, engine: Engine, rare: RareDiseases
) -> tuple[Label, bool]:
    """The confirmation as the ledger holds it, after the commit, and whether it is new; a repeat gets the same event.

    Its case counts with the same commit, unless it is held back. Forbidden for who is no person, NotFound for a
    label that is not of this prediction, Conflict for one that cannot be confirmed by this caller.
    """
    if received.actor.kind != "user":
        raise Forbidden("person")
    for _ in range(_TRIES):
        with reading(engine) as connection:
            overlay = overlay_of(connection, received.actor.tenant)
            case = case_of(_find(connection, request, received), received)
        seen = _Seen(overlay.version, _is_too_much(overlay, case, rare))
        change = partial(_confirm, request=request, received=received, seen=seen)
        entered = writer.submit_change(change, token=received.token)
        if entered is not None:
            return entered
    raise Conflict("other cases are being confirmed: try again", where="confirmation")


def withdraw_confirmation(
    request: ConfirmationRequest, received: Received, *, writer: GroupWriter
) -> tuple[Label, bool]:
    """The end of the caller's own confirmation, after the commit, and whether it is new; NotFound where none is."""

    def change(transaction: Transaction) -> Applied[tuple[Label, bool]]:
        found = _find(transaction, request, received)
        given = [one for one in found.own if one.kind is Kind.CONFIRMATION]
        if not given:
            raise NotFound("this caller has not confirmed the label")
        own_id = uuid5(given[-1].id, "unconfirm")
        ended = _event(own_id, Kind.WITHDRAWAL, found, received, refers_to=given[-1].id)
        entered, events = enter_label(transaction, ended, received, subject=found.subject, comment=request.comment)
        return Applied((entered, bool(events)), events)

    return writer.submit_change(change, token=received.token)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The version of the overlay a case was weighed against, and whether it was found too heavy."""

    version: int
    moves_too_much: bool


def _confirm(
    transaction: Transaction, *, request: ConfirmationRequest, received: Received, seen: _Seen
) -> Applied[tuple[Label, bool] | None]:
    """The event with its case; None, and nothing done, when the overlay is not the one the case was weighed against."""
    found = _find(transaction, request, received)
    case = case_of(found, received)
    ended = sum(one.kind is Kind.WITHDRAWAL for one in found.own)
    own_id = uuid5(found.said_by, str(ended))
    is_new = own_id not in {one.id for one in found.own}
    if is_new and version_of(transaction, received.actor.tenant) != seen.version:
        return Applied(None)
    label = _event(own_id, Kind.CONFIRMATION, found, received, refers_to=found.label.id)
    if is_new and received.actor.environment == "production":
        add_case(transaction, _row(label, case, found))
    entered, events = enter_label(
        transaction,
        label,
        received,
        subject=found.subject,
        comment=request.comment,
        moves_too_much=seen.moves_too_much,
    )
    return Applied((entered, bool(events)), events)


def _find(connection: Transaction, request: ConfirmationRequest, received: Received) -> Confirmable:
    return find_confirmable(connection, request.prediction_id, request.label_id, received)


def _is_too_much(overlay: Overlay, case: ValidatedCase, rare: RareDiseases) -> bool:
    before = index_of(overlay, rare.ranker)
    after = index_of(overlay._replace(cases=(*overlay.cases, case)), rare.ranker)
    return moves_too_much(rare.ranker, rare.golden, before, after)


def _row(label: Label, case: ValidatedCase, found: Confirmable) -> CaseRow:
    return CaseRow(
        id=label.id,
        tenant=label.tenant,
        prediction_id=found.subject.id,
        patient_key=found.subject.patient_key,
        case=case,
        counts=False,
        received_at=label.received_at,
    )


def _event(own_id: UUID, kind: Kind, found: Confirmable, received: Received, *, refers_to: UUID) -> Label:
    return Label(
        id=own_id,
        kind=kind,
        thread=found.thread,
        source=Source.FORM,
        **received.caller,
        author=received.actor.name,
        observed_at=received.at,
        stands_at=received.at,
        saw_prediction="yes",
        prediction_id=found.subject.id,
        patient_key=found.subject.patient_key,
        refers_to=refers_to,
    )
