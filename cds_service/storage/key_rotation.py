"""Another `CDS_SECRET_KEY`: identities sealed again and patients' keys made again, some at a time, while serving."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, Table, delete, select, update
from sqlalchemy.engine import Row

from cds_service.domain.patient import Identity
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied, Change
from cds_service.storage.identity import Keyring, unsealed
from cds_service.storage.reading_log import birth_text
from cds_service.storage.tables import feedback, identities, labels, messages, metadata, readings

# Chosen by us: a batch holds the head of the audit chain, and with it every writer, for some hundredths of a second.
BATCH = 50

# What is encrypted: identities, bound to their patient key; comments and messages, bound to table and id of their row.
SEALED = (identities, feedback, labels, messages)

# Columns that hold a patient key.
_KEYS = {"patient_key", "other_key"}

SealedRow = Row[tuple[object, ...]]


def rotate_some(keyring: Keyring, event: AuditEvent, *, batch: int = BATCH) -> Change[int]:
    """Bring some patients and comments under the keyring's own key: how many, 0 when none is left under another.

    Unavailable, naming the key, when one was sealed with a key that is not given.
    """

    def change(connection: Connection) -> Applied[int]:
        done = 0
        for table in SEALED:
            left = select(table).where(table.c.key_id != keyring.key_id).order_by(*table.primary_key).limit(batch)
            rows = connection.execute(left).all()
            for row in rows:
                (_rotate_patient if table is identities else _rotate_text)(connection, keyring, table, row)
            done += len(rows)
        detail = msgspec.json.encode({"rows": done, "key": keyring.key_id}).decode()
        return Applied(done, [msgspec.structs.replace(event, detail=detail)])

    return change


def _rotate_text(connection: Connection, keyring: Keyring, table: Table, row: SealedRow) -> None:
    name = f"{table.name}:{row.id}"
    sealed = keyring.seal(name, unsealed(keyring, name, row.sealed, key_id=row.key_id, where=table.name))
    connection.execute(update(table).where(table.c.id == row.id).values(sealed=sealed, key_id=keyring.key_id))


def _rotate_patient(connection: Connection, keyring: Keyring, table: Table, row: SealedRow) -> None:
    """One patient's rows under the new key; an identity stored under it meanwhile is newer and stays."""
    old = row.patient_key
    plain = unsealed(keyring, old, row.sealed, key_id=row.key_id, where=table.name)
    identity = msgspec.json.decode(plain, type=Identity)
    new = keyring.patient_key(row.tenant, identity.patient_id)
    connection.execute(delete(identities).where(identities.c.patient_key == old))
    if connection.execute(select(identities.c.key_id).where(identities.c.patient_key == new)).first() is None:
        values = {**row._mapping, "patient_key": new, "key_id": keyring.key_id, "sealed": keyring.seal(new, plain)}
        connection.execute(identities.insert().values(values))
    for other in metadata.tables.values():
        for name in _KEYS & set(other.c.keys()):
            if other is not identities:
                connection.execute(update(other).where(other.c[name] == old).values({name: new}))
    if identity.birth_date is not None:
        birth, *before = keyring.fingerprints(birth_text(identity.birth_date))
        theirs = (readings.c.patient_key == new) & readings.c.birth.in_(before)
        connection.execute(update(readings).where(theirs).values(birth=birth))
