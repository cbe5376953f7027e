"""One transaction for many entries: rows written together, and apart again when one of them fails."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import msgspec
from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from cds_service.errors import BadRequest, CdsError, Conflict
from cds_service.storage.audit_log import AuditChain, AuditEvent
from cds_service.storage.identity import IdentityRows, Keyring
from cds_service.storage.prediction_log import PredictionEntry, StoredReply, reply_on, row_from_entry
from cds_service.storage.sessions import reason
from cds_service.storage.statements import Row, insert_new, upsert
from cds_service.storage.tables import identities, predictions

# What one entry's values can cause; everything else is the database's own trouble and fails the group.
_ENTRY_ERRORS = (IntegrityError, DataError)


class Pending:
    """An entry on its way: rows made by the caller's thread, the answer left by the writer's."""

    __slots__ = ("abandoned", "done", "entry", "error", "event", "fingerprint", "identity", "reply", "row")

    def __init__(self, event: AuditEvent, entry: PredictionEntry | None = None) -> None:
        self.event = event
        self.entry = entry
        self.row: Row = ()
        self.identity: Row | None = None
        self.fingerprint: tuple[str, bytes] | None = None
        self.reply: StoredReply | None = None
        self.error: CdsError | None = None
        self.abandoned = False
        self.done = Lock()
        self.done.acquire()


def pending_prediction(entry: PredictionEntry, identity_rows: IdentityRows) -> Pending:
    """The entry with its rows and its audit event, checked for text no database takes."""
    named = (entry.service, entry.tenant, entry.environment, entry.hook, entry.hook_instance or "", entry.language)
    pending = pending_event(_prediction_event(entry, "predict"), "".join(named))
    pending.entry = entry
    pending.reply = StoredReply(entry.id, entry.reply, entry.request_hash, replayed=False)
    patient_key = None
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


def pending_event(event: AuditEvent, more_text: str = "") -> Pending:
    """The event, checked (with `more_text`) for NUL and lone surrogates, which databases refuse."""
    text = more_text + event.tenant + event.actor + event.action + event.object_type + event.object_id + event.detail
    if "\0" in text:
        raise BadRequest("text holds a NUL character", where="entry")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest("text is not valid Unicode", where="entry") from error
    return Pending(event)


class GroupCommit:
    """Writes a group inside one open transaction and leaves each entry its reply or its error."""

    def __init__(self, dialect: Dialect, keyring: Keyring) -> None:
        self._predictions = insert_new(predictions, ["tenant", "service", "hook_instance"], dialect)
        self._identities = upsert(identities, "patient_key", dialect)
        self._chain = AuditChain(dialect, keyring)

    def write(self, connection: Connection, group: Sequence[Pending]) -> None:
        """Store all entries together; when that does not work out, one by one."""
        if not self._write_together(connection, group):
            for pending in group:
                self._write_alone(connection, pending)
        events = [pending.event for pending in group if pending.error is None]
        if events:
            self._chain.append(connection, events)

    def _write_together(self, connection: Connection, group: Sequence[Pending]) -> bool:
        """Whether every row was new and went in; if not, the transaction is as it was."""
        rows = [pending.row for pending in group if pending.entry is not None]
        sealed = [pending.identity for pending in group if pending.identity is not None]
        savepoint = connection.begin_nested()
        try:
            if sealed:
                self._identities.run(connection, sealed)
            complete = not rows or self._predictions.run(connection, rows) == len(rows)
        except _ENTRY_ERRORS:
            complete = False
        if complete:
            savepoint.commit()
        else:
            savepoint.rollback()
        return complete

    def _write_alone(self, connection: Connection, pending: Pending) -> None:
        savepoint = connection.begin_nested()
        try:
            self._write_one(connection, pending)
        except (*_ENTRY_ERRORS, Conflict) as error:
            savepoint.rollback()
            pending.error = _named(error)
        else:
            savepoint.commit()

    def _write_one(self, connection: Connection, pending: Pending) -> None:
        entry = pending.entry
        if entry is None:
            return
        if pending.identity is not None:
            self._identities.run(connection, [pending.identity])
        if self._predictions.run(connection, [pending.row]) == 0:
            pending.reply = _stored_reply(connection, entry)
            pending.event = _prediction_event(entry, "replay", pending.reply)


def _stored_reply(connection: Connection, entry: PredictionEntry) -> StoredReply:
    """The reply stored first under the entry's key; `Conflict` when it answered another request."""
    stored = reply_on(connection, entry.tenant, entry.service, entry.hook_instance or "")
    if stored is None or stored.request_hash != entry.request_hash:
        raise Conflict("this hookInstance came before with other content", where="hookInstance")
    return stored


def _prediction_event(entry: PredictionEntry, action: str, stored: StoredReply | None = None) -> AuditEvent:
    detail = {"model": entry.model_version, "site": entry.site_hash, "shown": entry.shown}
    return AuditEvent(
        at=entry.created_at,
        tenant=entry.tenant,
        actor=entry.actor,
        action=action,
        object_type="prediction",
        object_id=str(entry.id if stored is None else stored.id),
        detail=msgspec.json.encode(detail).decode(),
    )


def _named(error: DBAPIError | Conflict) -> CdsError:
    """The failure as its caller is told it."""
    if isinstance(error, Conflict):
        return error
    if isinstance(error, IntegrityError):
        return Conflict(f"the entry cannot be stored: {reason(error)}", where="entry")
    return BadRequest(f"the entry cannot be stored: {reason(error)}", where="entry")
