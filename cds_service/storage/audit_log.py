"""The audit log: what was done, by whom, to what, in a chain of hashes that shows later changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Dialect, Engine, bindparam, func, select, update
from sqlalchemy.engine import Row as ResultRow
from sqlalchemy.engine.interfaces import DBAPICursor

from cds_service.errors import ConfigurationError, Unavailable
from cds_service.storage.identity import Keyring
from cds_service.storage.sessions import reading
from cds_service.storage.statements import DriverStatement, InsertRows, Row
from cds_service.storage.tables import audit, audit_head, utc_text

GENESIS = bytes(32)

_BATCH = 1000
_encode = msgspec.json.Encoder().encode


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing done: `actor` did `action` to the object. `detail` is JSON text and holds ids and counts only."""

    at: datetime
    tenant: str
    actor: str
    action: str
    object_type: str
    object_id: str
    detail: str = "{}"


class ChainEnd(NamedTuple):
    """Where the chain ends, as the transaction that holds it found it."""

    seq: int
    hash: bytes
    erasures: int = 0


class AuditChain:
    """Appends events to the chain inside the writer's transaction."""

    def __init__(self, dialect: Dialect, keyring: Keyring) -> None:
        self._keyring = keyring
        self._insert = InsertRows(audit, dialect)
        end: dict[str, Any] = {name: bindparam(f"new_{name}") for name in ("seq", "hash", "seal")}
        self._advance = DriverStatement(update(audit_head).values(end), [f"new_{name}" for name in end], dialect)
        last = select(func.max(audit.c.seq)).scalar_subquery()
        # The row is locked where the database has row locks, so that several writers extend one chain.
        query = select(audit_head.c.seq, audit_head.c.hash, last, audit_head.c.erasures).with_for_update(of=audit_head)
        self._head = DriverStatement(query, (), dialect)

    def take(self, cursor: DBAPICursor) -> ChainEnd:
        """The end of the chain, locked until the transaction ends: taken first, so no writers wait in a ring."""
        self._head.run(cursor)
        head = cursor.fetchone()
        if head is None:
            raise Unavailable("the head of the audit chain is missing: restore it from a backup", where="audit_head")
        # A row beyond the head is not ours. It is left for verify_chain to find, and does not stop the service.
        return ChainEnd(max(head[0], head[2] or 0), bytes(head[1]), head[3])

    def append(self, cursor: DBAPICursor, end: ChainEnd, events: Iterable[AuditEvent]) -> None:
        """Add the events after the end that was taken and move the head: once a group."""
        seq, last_hash, _ = end
        rows: list[Row] = []
        for event in events:
            seq += 1
            content = _content(seq, utc_text(event.at), event)
            digest = _digest(last_hash, content)
            rows.append((*content, last_hash, digest))
            last_hash = digest
        self._insert.run(cursor, rows)
        self._advance.run(cursor, (seq, last_hash, self._keyring.audit_seal(seq, last_hash)))


def read_end(engine: Engine) -> ChainEnd:
    """Where the chain ends now: to be kept elsewhere."""
    with reading(engine) as connection:
        head = connection.execute(select(audit_head)).one_or_none()
    if head is None:
        raise Unavailable("the head of the audit chain is missing: restore it from a backup", where="audit_head")
    return ChainEnd(int(head.seq), bytes(head.hash))


def check_seal(engine: Engine, keyring: Keyring) -> None:
    """Refuse a key the end of the chain is not sealed with: what it wrote could not be read beside what is there."""
    with reading(engine) as connection:
        head = connection.execute(select(audit_head)).one_or_none()
    if head is not None and head.seq and not keyring.is_audit_seal(head.seal, head.seq, head.hash):
        text = "is not the key this database was written with, or its audit log was altered: see `cds audit verify`"
        raise ConfigurationError(text, where="CDS_SECRET_KEY")


def verify_chain(engine: Engine, keyring: Keyring, kept: ChainEnd | None = None) -> int | None:
    """Sequence number of the first row that was changed, removed or inserted; None when the chain is whole.

    A cut tail is found because the head is sealed with a key the database does not hold. A database put back
    whole to an earlier state, or written anew by someone who holds the key, is found by an end `kept` elsewhere.
    """
    with reading(engine) as connection:
        head = connection.execute(select(audit_head)).one_or_none()
        seq, last_hash = 0, GENESIS
        for row in _rows(connection):
            if row.seq != seq + 1 or row.prev_hash != last_hash or row.hash != _row_digest(row):
                return seq + 1
            seq, last_hash = row.seq, row.hash
            if kept is not None and seq == kept.seq and last_hash != kept.hash:
                return int(seq)
        if kept is not None and seq < kept.seq:
            return int(seq) + 1
    return _first_missing(head, keyring, seq, last_hash)


def _first_missing(head: ResultRow[Row] | None, keyring: Keyring, seq: int, last_hash: bytes) -> int | None:
    """Where the rows, whole up to `seq`, and the head part; None when they agree and the seal is ours."""
    if head is None:
        return seq + 1
    if head.seq != seq:
        return min(int(head.seq), seq) + 1
    sealed = keyring.is_audit_seal(head.seal, seq, last_hash) if seq else head.seal == b""
    return None if sealed and head.hash == last_hash else max(seq, 1)


def _content(seq: int, at: str, event: AuditEvent) -> Row:
    return seq, at, event.tenant, event.actor, event.action, event.object_type, event.object_id, event.detail


def _digest(prev_hash: bytes, content: Row) -> bytes:
    return sha256(prev_hash + _encode(content)).digest()


def _row_digest(row: ResultRow[Row]) -> bytes:
    """The hash the row should have, from what it holds."""
    event = AuditEvent(**{name: getattr(row, name) for name in AuditEvent.__struct_fields__})
    return _digest(row.prev_hash, _content(row.seq, utc_text(row.at), event))


def _rows(connection: Connection) -> Iterator[ResultRow[Row]]:
    """All rows in order, a batch at a time."""
    last = -(2**62)
    while batch := connection.execute(
        select(audit).where(audit.c.seq > last).order_by(audit.c.seq).limit(_BATCH)
    ).all():
        yield from batch
        last = batch[-1].seq
