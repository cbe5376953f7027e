"""What is on its way to be stored, checked for text no database takes before it joins others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

from cds_service.errors import BadRequest
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied, Change, JointChange
from cds_service.storage.identity import IdentityRows
from cds_service.storage.prediction_log import PredictionEntry, StoredReply, prediction_event, row_from_entry
from cds_service.storage.statements import Row
from cds_service.storage.token_log import TokenUse


class Pending:
    """Something on its way to be stored: made by the caller's thread, its answer left by the writer's.

    It is a prediction (`entry`), a `change`, or neither: an event to be recorded alone.
    """

    __slots__ = (
        "abandoned",
        "applied",
        "change",
        "done",
        "entry",
        "error",
        "events",
        "fingerprint",
        "forgotten",
        "identity",
        "is_settled",
        "reply",
        "row",
        "token",
    )

    def __init__(self, events: Sequence[AuditEvent] = (), *, token: TokenUse | None = None) -> None:
        self.events = events
        self.token = token
        self.entry: PredictionEntry | None = None
        self.change: Change[object] | None = None
        self.applied: Applied[object] | None = None
        self.row: Row = ()
        self.identity: Row | None = None
        self.fingerprint: tuple[str, bytes] | None = None
        self.forgotten = 0
        self.reply: StoredReply | None = None
        self.error: Exception | None = None
        self.abandoned = False
        self.is_settled = False
        self.done: Callable[[], object] = bool  # called once it is settled; raises nothing

    @property
    def goes_together(self) -> bool:
        """Whether it is a change that is made with others, with few statements for all of them."""
        return isinstance(self.change, JointChange) and self.token is None

    @property
    def stored_identities(self) -> Sequence[tuple[str, bytes]]:
        """Key and fingerprint of each identity that is there once this is stored."""
        if self.applied is not None:
            return self.applied.identities
        return () if self.fingerprint is None else (self.fingerprint,)


def pending_prediction(entry: PredictionEntry, identity_rows: IdentityRows) -> Pending:
    """The entry with its rows and its audit event, checked for text no database takes."""
    named = (entry.service, entry.tenant, entry.environment, entry.hook, entry.hook_instance or "", entry.language)
    pending = pending_event(prediction_event(entry, "predict", entry.id), "".join(named), token=entry.token)
    pending.entry = entry
    pending.reply = StoredReply(entry.id, entry.reply, entry.request_hash, replayed=False)
    patient_key = None
    pending.forgotten = identity_rows.forgotten
    if entry.patient is not None and entry.patient.patient_id:
        try:
            patient_key, pending.identity, fingerprint = identity_rows.row_for(
                entry.tenant, entry.patient, entry.created_at
            )
        except UnicodeEncodeError as error:
            raise BadRequest("text is not valid Unicode", where="patient") from error
        pending.fingerprint = (patient_key, fingerprint)
    pending.row = row_from_entry(entry, patient_key)
    return pending


def pending_event(event: AuditEvent, more_text: str = "", *, token: TokenUse | None = None) -> Pending:
    """The event, checked (with `more_text`) for text no database takes."""
    check_text((event,), more_text)
    return Pending((event,), token=token)


def pending_change(change: Change[object], token: TokenUse | None) -> Pending:
    """The change; its events are known once it is applied."""
    pending = Pending(token=token)
    pending.change = change
    return pending


def check_text(events: Sequence[AuditEvent], more_text: str = "") -> None:
    """Refuse NUL and lone surrogates before they fail the statement of a whole group."""
    parts = ((one.tenant, one.actor, one.action, one.object_type, one.object_id, one.detail) for one in events)
    text = more_text + "".join(chain.from_iterable(parts))
    if "\0" in text:
        raise BadRequest("text holds a NUL character", where="entry")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest("text is not valid Unicode", where="entry") from error
