"""One transaction for many entries: rows written together, and apart again when one of them fails."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from uuid import UUID

import msgspec
from sqlalchemy import Dialect
from sqlalchemy.engine.interfaces import DBAPICursor

from cds_service.errors import BadRequest, CdsError, Conflict
from cds_service.storage.audit_log import AuditChain, AuditEvent
from cds_service.storage.identity import IdentityRows, Keyring
from cds_service.storage.link import WriterLink
from cds_service.storage.prediction_log import FindReply, PredictionEntry, StoredReply, row_from_entry
from cds_service.storage.sessions import reason
from cds_service.storage.statements import InsertRows, Row
from cds_service.storage.tables import identities, predictions

_encode = msgspec.json.Encoder().encode


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
    pending = pending_event(_prediction_event(entry, "predict", entry.id), "".join(named))
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
    """Writes a group inside one transaction and leaves each entry its reply or its error."""

    def __init__(self, dialect: Dialect, keyring: Keyring) -> None:
        driver = dialect.loaded_dbapi
        # What one entry's values can cause; everything else is the database's own trouble and fails the group.
        self._refused = (driver.IntegrityError, driver.DataError)
        self._predictions = InsertRows(predictions, dialect, key=["tenant", "service", "hook_instance"])
        self._identities = InsertRows(identities, dialect, key=["patient_key"], replace=True)
        self._find_reply = FindReply(dialect)
        self._chain = AuditChain(dialect, keyring)

    def write(self, link: WriterLink, group: Sequence[Pending]) -> None:
        """Store all entries together, or one by one when that does not work out, and commit."""
        with link.transaction() as cursor:
            if not self._write_together(cursor, group):
                link.start_over(cursor)
                for pending in group:
                    self._write_alone(cursor, pending)
            events = [pending.event for pending in group if pending.error is None]
            if events:
                self._chain.append(cursor, events)

    def _write_together(self, cursor: DBAPICursor, group: Sequence[Pending]) -> bool:
        """Whether every row was new and went in."""
        rows = [pending.row for pending in group if pending.entry is not None]
        sealed = {pending.identity[0]: pending.identity for pending in group if pending.identity is not None}
        try:
            if sealed:
                self._identities.run(cursor, list(sealed.values()))
            return not rows or self._predictions.run(cursor, rows) == len(rows)
        except self._refused:
            return False

    def _write_alone(self, cursor: DBAPICursor, pending: Pending) -> None:
        cursor.execute("SAVEPOINT entry")
        try:
            self._write_one(cursor, pending)
        except (*self._refused, Conflict) as error:
            cursor.execute("ROLLBACK TO SAVEPOINT entry")
            pending.error = error if isinstance(error, Conflict) else self._named(error)
        cursor.execute("RELEASE SAVEPOINT entry")

    def _write_one(self, cursor: DBAPICursor, pending: Pending) -> None:
        entry = pending.entry
        if entry is None:
            return
        if pending.identity is not None:
            self._identities.run(cursor, [pending.identity])
        if self._predictions.run(cursor, [pending.row]) == 0:
            stored = self._find_reply.run(cursor, entry.tenant, entry.service, entry.hook_instance or "")
            if stored is None or stored.request_hash != entry.request_hash:
                raise Conflict("this hookInstance came before with other content", where="hookInstance")
            pending.reply = stored
            pending.event = _prediction_event(entry, "replay", stored.id)

    def _named(self, error: Exception) -> CdsError:
        """The driver's refusal as the caller is told it: a key that is taken, or a value that cannot be stored."""
        kind = Conflict if isinstance(error, self._refused[0]) else BadRequest
        return kind(f"the entry cannot be stored: {reason(error)}", where="entry")


def _prediction_event(entry: PredictionEntry, action: str, prediction_id: UUID) -> AuditEvent:
    detail = {"model": entry.model_version, "site": entry.site_hash, "shown": entry.shown}
    return AuditEvent(
        at=entry.created_at,
        tenant=entry.tenant,
        actor=entry.actor,
        action=action,
        object_type="prediction",
        object_id=str(prediction_id),
        detail=_encode(detail).decode(),
    )
