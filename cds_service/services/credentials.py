"""Passwords and tokens: made, and checked."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from hmac import compare_digest
from threading import BoundedSemaphore, Lock
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cds_service.errors import BadRequest, Unavailable
from cds_service.storage.people import TokenRow

# OWASP Password Storage Cheat Sheet: Argon2id with 19 MiB, two passes, one lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# A check takes a core for some 20 ms: one at a time leaves the others to everybody else. Of the eight threads that
# answer requests three may be here; whoever tries passwords by the thousand holds up others who log in, and no calls.
_CHECKING = Lock()
_HERE = BoundedSemaphore(3)
# NIST SP 800-63B-4, 3.1.1.2: at least 15 characters where the password is the only factor.
PASSWORD_MIN, PASSWORD_MAX = 15, 256

TOKEN_PREFIX = "cds_"  # noqa: S105 -- says what kind of text a token is
_TOKEN = re.compile(r"cds_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
_ID_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
# Chosen by us: a forgotten token ends by itself within the year.
LIFETIME_MAX = timedelta(days=366)

SCOPES = ("hooks", "feedback", "assess", "predict", "read", "labels", "hl7", "metrics")


class MadeToken(NamedTuple):
    """A token's text, shown once, and the parts that are stored."""

    text: str
    id: str
    secret_hash: bytes


def is_name(name: str) -> bool:
    """Whether a user or a token can have this name: up to 64 letters, digits and `._-@`."""
    return 0 < len(name) <= 64 and all(character.isalnum() or character in "._-@" for character in name)


def hash_password(password: str) -> str:
    """The hash to be stored; BadRequest for a password that is too short or too long."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise BadRequest(f"choose {PASSWORD_MIN} to {PASSWORD_MAX} characters", where="password")
    return _HASHER.hash(password)


@cache
def _nobodys() -> str:
    """The hash of no password: a name nobody has costs as much time to refuse as one somebody has."""
    return _HASHER.hash(secrets.token_urlsafe(32))


def is_password(stored_hash: str | None, password: str) -> bool:
    """Whether the password is the one of the hash; never for None. Unavailable when too many are being checked."""
    if not _HERE.acquire(blocking=False):
        raise Unavailable("too many log in at once", where="password", retry_after_s=1)
    try:
        with _CHECKING:
            matches = _HASHER.verify(stored_hash or _nobodys(), password)
    except (VerificationError, InvalidHashError):
        return False
    finally:
        _HERE.release()
    return matches and stored_hash is not None


def make_token() -> MadeToken:
    """A new token: 12 characters that name it, and 256 random bits."""
    token_id = "".join(secrets.choice(_ID_ALPHABET) for _ in range(12))
    secret = secrets.token_urlsafe(32)
    return MadeToken(f"{TOKEN_PREFIX}{token_id}_{secret}", token_id, _hash(secret))


def read_token_text(text: str) -> tuple[str, bytes] | None:
    """Id and hash of the secret of a token's text; None for what is no token of ours."""
    found = _TOKEN.fullmatch(text)
    return None if found is None else (found[1], _hash(found[2]))


def is_token(stored: TokenRow | None, secret_hash: bytes, now: datetime) -> bool:
    """Whether the secret is the stored token's, and the token still counts."""
    if stored is None or not compare_digest(stored.secret_hash, secret_hash):
        return False
    return stored.revoked_at is None and now < stored.expires_at


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
