"""Who a patient is: the keyed hash predictions carry, and the encrypted table behind it."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from hmac import compare_digest
from os import urandom

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Engine, select

from cds_service.domain.patient import Identity
from cds_service.errors import ConfigurationError, Unavailable
from cds_service.storage.sessions import reading
from cds_service.storage.statements import Row
from cds_service.storage.tables import identities, utc_text

_NONCE_BYTES = 12  # NIST SP 800-38D, 8.2.2: random 96-bit nonces, up to 2**32 rows under one key
_SECRET_MIN = 32  # chosen by us: 32 characters of hex or base64 are 128 bits or more


class Keyring:
    """The keys derived from `CDS_SECRET_KEY`, one for each use; never printed, never stored."""

    __slots__ = ("_audit", "_cipher", "_dataset", "_patient", "_previous", "_session", "key_id")

    def __init__(self, secret: str, previous: str = "") -> None:
        """`previous` is the secret before this one while rows made with it are left."""
        if len(secret) < _SECRET_MIN:
            raise ConfigurationError(f"needs at least {_SECRET_MIN} characters", where="CDS_SECRET_KEY")
        self._patient = _derive(secret, b"cds patient key v1")
        self._audit = _derive(secret, b"cds audit seal v1")
        self._dataset = blake2b(key=_derive(secret, b"cds dataset v1"), digest_size=16)
        self._session = _derive(secret, b"cds session v1")
        self._cipher = AESGCM(_derive(secret, b"cds identity v1"))
        self.key_id = _derive(secret, b"cds key id v1")[:4].hex()
        self._previous = Keyring(previous) if previous else None

    def patient_key(self, tenant: str, patient_id: str) -> str:
        """Keyed hash of one tenant's patient, 32 hex digits; without the key it names nobody."""
        text = f"{len(tenant)}:{tenant}{patient_id}"
        return blake2b(text.encode(), key=self._patient, digest_size=16).hexdigest()

    def patient_keys(self, tenant: str, patient_id: str) -> list[str]:
        """Every key the patient's rows may carry: today's, and the one before while there is a previous secret."""
        before = [] if self._previous is None else self._previous.patient_keys(tenant, patient_id)
        return [self.patient_key(tenant, patient_id), *before]

    def pseudonym(self, kind: str, text: str) -> str:
        """Keyed hash for a dataset, 32 hex digits: the same text of a kind has the same, under a key of its own."""
        begun = self._dataset.copy()
        begun.update(f"{kind}:{text}".encode())
        return begun.hexdigest()

    def session_keys(self) -> list[bytes]:
        """What signs the cookies of people at a browser: today's key, and the one before while there is one."""
        before = [] if self._previous is None else self._previous.session_keys()
        return [self._session, *before]

    def fingerprint(self, plain: bytes) -> bytes:
        """Keyed hash of 16 bytes: it tells whether an identity or a report is the same, not what it says."""
        return blake2b(plain, key=self._patient, digest_size=16, person=b"identity").digest()

    def fingerprints(self, plain: bytes) -> list[bytes]:
        """Every fingerprint a row may carry: today's, and the one before while there is a previous secret."""
        before = [] if self._previous is None else self._previous.fingerprints(plain)
        return [self.fingerprint(plain), *before]

    def seal(self, row: str, plain: bytes) -> bytes:
        """An identity or a comment encrypted (AES-256-GCM, nonce first) and bound to its row."""
        nonce = urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, row.encode())

    def unseal(self, row: str, sealed: bytes) -> bytes:
        """The plain text; `InvalidTag` when the row was altered, moved or sealed with another key."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], row.encode())
        except InvalidTag:
            if self._previous is None:
                raise
            return self._previous.unseal(row, sealed)

    def audit_seal(self, seq: int, last_hash: bytes) -> bytes:
        """Keyed hash over the end of the audit chain."""
        return blake2b(seq.to_bytes(8, "big") + last_hash, key=self._audit, digest_size=32).digest()

    def is_audit_seal(self, seal: bytes, seq: int, last_hash: bytes) -> bool:
        """Whether a writer holding our key left this end of the chain."""
        if compare_digest(seal, self.audit_seal(seq, last_hash)):
            return True
        return self._previous is not None and self._previous.is_audit_seal(seal, seq, last_hash)


class IdentityRows:
    """Makes rows for `identities`, leaving out those known to be stored already.

    Any thread may ask; only the writer remembers, and only what it committed. What is remembered is a
    keyed hash, the least recently committed patient is forgotten first.
    """

    def __init__(self, keyring: Keyring, *, capacity: int = 4096) -> None:
        self._keyring = keyring
        self._capacity = capacity
        self._known: dict[str, bytes] = {}
        self.forgotten = 0

    def row_for(self, tenant: str, patient: Identity, at: datetime) -> tuple[str, Row | None, bytes]:
        """The patient's key, the row to store (None when nothing changed) and the identity's fingerprint."""
        key = self._keyring.patient_key(tenant, patient.patient_id)
        plain = msgspec.json.encode(patient)
        fingerprint = self._keyring.fingerprint(plain)
        if self._known.get(key) == fingerprint:
            return key, None, fingerprint
        return key, (key, tenant, self._keyring.key_id, self._keyring.seal(key, plain), utc_text(at)), fingerprint

    def remember(self, key: str, fingerprint: bytes) -> None:
        """Note what was committed. Only the writer's thread calls this."""
        self._known.pop(key, None)
        self._known[key] = fingerprint
        if len(self._known) > self._capacity:
            del self._known[next(iter(self._known))]

    def forget(self) -> None:
        """Trust nothing remembered: the database was lost from sight and may have been replaced."""
        self._known = {}
        self.forgotten += 1


def read_identity(engine: Engine, keyring: Keyring, patient_key: str) -> Identity | None:
    """The identity stored under this key, None when there is none. The caller records the read in the audit log."""
    query = select(identities.c.key_id, identities.c.sealed).where(identities.c.patient_key == patient_key)
    with reading(engine) as connection:
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    plain = unsealed(keyring, patient_key, row.sealed, key_id=row.key_id, where="identities")
    return msgspec.json.decode(plain, type=Identity)


def unsealed(keyring: Keyring, row: str, sealed: bytes, *, key_id: str, where: str) -> bytes:
    """What was sealed into this row; Unavailable, naming both keys, when ours does not open it."""
    try:
        return keyring.unseal(row, sealed)
    except InvalidTag as error:
        raise Unavailable(f"sealed with key {key_id}, not readable with {keyring.key_id}", where=where) from error


def _derive(secret: str, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret.encode())
