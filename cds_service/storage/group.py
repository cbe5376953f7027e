"""One transaction for many entries: rows written together, and apart again when one of them fails."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from sqlalchemy import Connection, Dialect
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError

from cds_service import logs
from cds_service.errors import BadRequest, CdsError, Conflict
from cds_service.storage.audit_log import AuditChain
from cds_service.storage.change import JointChange
from cds_service.storage.identity import IdentityRows, Keyring
from cds_service.storage.link import WriterLink
from cds_service.storage.pending import Pending, check_text
from cds_service.storage.prediction_log import (
    FindReply,
    PredictionEntry,
    prediction_event,
    rested_rows,
)
from cds_service.storage.sessions import reason
from cds_service.storage.statements import InsertRows, driver_cursor
from cds_service.storage.tables import identities, prediction_readings, predictions
from cds_service.storage.token_log import TokenLog

log = logs.get_logger(__name__)


class GroupCommit:
    """Writes a group inside one transaction and leaves each entry its reply or its error."""

    def __init__(self, dialect: Dialect, keyring: Keyring, identity_rows: IdentityRows) -> None:
        driver = dialect.loaded_dbapi
        self._identity_rows = identity_rows
        self._erasures = 0
        # What one entry's values can cause; everything else is the database's own trouble and fails the group.
        self._taken = driver.IntegrityError
        self._refused = (driver.IntegrityError, driver.DataError)
        self._failed = driver.Error
        self._predictions = InsertRows(predictions, dialect, key=["tenant", "service", "hook_instance"])
        self._identities = InsertRows(identities, dialect, key=["patient_key"], replace=True)
        self._rested = InsertRows(prediction_readings, dialect)
        self._find_reply = FindReply(dialect)
        self._tokens = TokenLog(dialect)
        self._chain = AuditChain(dialect, keyring)

    def write(self, link: WriterLink, group: Sequence[Pending]) -> None:
        """Store all together, or one by one when that does not work out, and commit."""
        with link.transaction() as connection:
            end = self._chain.take(driver_cursor(connection))
            self._mind_erasures(end.erasures, group)
            left = self._write_together(driver_cursor(connection), group)
            if left is None:
                link.start_over(connection)
                end = self._chain.take(driver_cursor(connection))
                left = sorted(group, key=lambda pending: pending.change is not None)
            for pending in left:
                self._write_alone(connection, pending)
            uses = [pending.token for pending in group if pending.token is not None and pending.error is None]
            if uses:
                self._tokens.forget(driver_cursor(connection), uses)
            events = list(chain.from_iterable(pending.events for pending in group if pending.error is None))
            if events:
                self._chain.append(driver_cursor(connection), end, events)

    def _mind_erasures(self, erasures: int, group: Sequence[Pending]) -> None:
        """Store an identity again that was left out because it was known, if any were deleted since."""
        if erasures != self._erasures:
            self._identity_rows.forget()
            self._erasures = erasures
        for pending in group:
            if pending.forgotten != self._identity_rows.forgotten and pending.identity is None:
                _seal_again(pending, self._identity_rows)

    def _write_together(self, cursor: DBAPICursor, group: Sequence[Pending]) -> list[Pending] | None:
        """Those left to be written alone; None when a row was not new or did not go in."""
        try:
            if not self._write_predictions(cursor, [pending for pending in group if pending.change is None]):
                return None
            return _change_together(cursor, [pending for pending in group if pending.change is not None])
        except self._refused:
            return None

    def _write_predictions(self, cursor: DBAPICursor, group: Sequence[Pending]) -> bool:
        """Whether every row was new and went in."""
        rows = [pending.row for pending in group if pending.entry is not None]
        sealed = {pending.identity[0]: pending.identity for pending in group if pending.identity is not None}
        uses = [pending.token for pending in group if pending.token is not None]
        if uses and not self._tokens.note_together(cursor, uses):
            return False
        if sealed:
            self._identities.run(cursor, list(sealed.values()))
        if rows and self._predictions.run(cursor, rows) != len(rows):
            return False
        rested = [one.entry for one in group if one.entry is not None and one.entry.built_on]
        self._rested.run(cursor, [row for entry in rested for row in rested_rows(entry)])
        return True

    def _write_alone(self, connection: Connection, pending: Pending) -> None:
        """Write one within a savepoint: what it cannot do is its own error and leaves no trace."""
        cursor = driver_cursor(connection)
        cursor.execute("SAVEPOINT one")  # SQLAlchemy's own savepoint costs more than the rows of a message
        try:
            self._write_one(connection, pending)
        except DBAPIError as error:
            if not isinstance(error.orig, self._refused):
                raise
            pending.error = self._named(error.orig)
        except self._refused as error:
            pending.error = self._named(error)
        except self._failed:
            raise
        except CdsError as error:
            pending.error = error
        except Exception as error:
            # A change is its caller's code: what mistakes it may hold has no narrower name. It is undone alone, told to
            # that caller and logged, and must not take along what others wait for.
            log.error("change_failed", exception=type(error).__name__, frames=logs.frames(error))
            pending.error = error
        if pending.error is not None:
            cursor.execute("ROLLBACK TO SAVEPOINT one")
        cursor.execute("RELEASE SAVEPOINT one")

    def _write_one(self, connection: Connection, pending: Pending) -> None:
        cursor = driver_cursor(connection)
        if pending.token is not None:
            self._tokens.note(cursor, pending.token)
        if pending.change is not None:
            pending.applied = pending.change(connection)
            pending.events = pending.applied.events
            check_text(pending.events)
        elif pending.entry is not None:
            self._write_prediction(cursor, pending, pending.entry)

    def _write_prediction(self, cursor: DBAPICursor, pending: Pending, entry: PredictionEntry) -> None:
        if pending.identity is not None:
            self._identities.run(cursor, [pending.identity])
        if self._predictions.run(cursor, [pending.row]) == 0:
            stored = self._find_reply.run(cursor, entry.tenant, entry.service, entry.hook_instance or "")
            if stored is None or stored.request_hash != entry.request_hash:
                raise Conflict("this hookInstance came before with other content", where="hookInstance")
            pending.reply = stored
            pending.events = (prediction_event(entry, "replay", stored.id),)
        else:
            self._rested.run(cursor, rested_rows(entry))

    def _named(self, error: BaseException) -> CdsError:
        """The driver's refusal as the caller is told it: a key that is taken, or a value that cannot be stored."""
        kind = Conflict if isinstance(error, self._taken) else BadRequest
        return kind(f"the entry cannot be stored: {reason(error)}", where="entry")


def _change_together(cursor: DBAPICursor, group: Sequence[Pending]) -> list[Pending] | None:
    """Make the changes that go together; those left, None when it did not work out."""
    joint: dict[object, list[tuple[Pending, JointChange[object]]]] = {}
    for pending in group:
        if isinstance(pending.change, JointChange) and pending.token is None:
            joint.setdefault(pending.change.together, []).append((pending, pending.change))
    made: set[int] = set()
    for several in joint.values():
        applied = several[0][1].together(cursor, [change.rows for _, change in several])
        if applied is None:
            return None
        for (pending, _), one in zip(several, applied, strict=True):
            if one is not None:
                pending.applied, pending.events = one, one.events
                made.add(id(pending))
    return [pending for pending in group if id(pending) not in made]


def _seal_again(pending: Pending, identity_rows: IdentityRows) -> None:
    entry = pending.entry
    if entry is not None and entry.patient is not None and pending.fingerprint is not None:
        _, pending.identity, _ = identity_rows.row_for(entry.tenant, entry.patient, entry.created_at)
