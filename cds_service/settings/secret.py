"""The key that protects identities: given by the operator, or kept in a file by a demonstration on one machine."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from cds_service.errors import ConfigurationError

SECRET_SETTING = "CDS_SECRET_KEY"  # noqa: S105 - the name, not the key
PREVIOUS_SETTING = "CDS_SECRET_KEY_PREVIOUS"
SECRET_FILE = "secret.key"  # noqa: S105 - the file's name

_LENGTH = 32  # chosen by us: as hexadecimal digits 128 bits; NIST SP 800-131A rev. 2 asks for 112
_DISTINCT = 8  # chosen by us: 32 random hexadecimal digits hold fewer than 8 different ones once in 10 million times
_PLACEHOLDERS = ("changeme", "change-me", "change_me", "secret", "password", "default", "example", "0123456789")


def secret_problem(key: str) -> str | None:
    """Why the key will not do, with the remedy; None when it will."""
    remedy = "set it to the output of `openssl rand -hex 32`"
    if not key:
        return f"not set; {remedy}"
    if len(key) < _LENGTH:
        return f"shorter than {_LENGTH} characters; {remedy}"
    if len(set(key)) < _DISTINCT or any(word in key.lower() for word in _PLACEHOLDERS):
        return f"looks like a placeholder; {remedy}"
    return None


def secret_from_file(directory: Path) -> str:
    """The key kept in `directory`, made at first use; ConfigurationError when it cannot be trusted or made."""
    path = directory / SECRET_FILE
    try:
        return _read(path)
    except FileNotFoundError:
        return _make(path)
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(path)) from None


def _read(path: Path) -> str:
    with path.open(encoding="ascii", errors="replace") as file:
        mode = os.fstat(file.fileno()).st_mode
        key = file.read(1024).strip()
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigurationError("others may read it; run chmod 600 on it", where=str(path))
    if problem := secret_problem(key):
        raise ConfigurationError(problem, where=str(path))
    return key


def _make(path: Path) -> str:
    """A random key, whole or not at all: written aside, then linked; another process's key wins a race."""
    if any(path.parent.glob("*.db")):
        raise ConfigurationError("is missing beside a database it protects; restore it", where=str(path))
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(aside, path)
        except FileExistsError:
            pass
        finally:
            aside.unlink()
        return _read(path)
    except OSError as error:
        raise ConfigurationError(f"cannot be made: {error.strerror}", where=str(path)) from None
