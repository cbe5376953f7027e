"""Reading the TOML files of a site: known keys only, and errors that name the key."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cds_service.errors import ConfigurationError

T = TypeVar("T")

_ADDRESS_LIMIT = 2048


def from_file(path: Path, read: Callable[[Mapping[str, Any]], T]) -> T:
    """What `read` makes of a TOML file; ConfigurationError names the key that is unknown or will not do."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"not TOML: {error}", where=str(path)) from None
    try:
        return read(document)
    except ValueError as error:
        raise ConfigurationError(str(error), where=str(path)) from None


def table(document: Any, where: str, readers: Mapping[str, Callable[[Any, str], Any]]) -> dict[str, Any]:
    """The values of a table by key, each read by its reader; ValueError for a key nobody reads."""
    if not isinstance(document, dict):
        raise ValueError(f"{where}: must be a table")
    unknown = sorted(document.keys() - readers.keys())
    if unknown:
        raise ValueError(f"{key_path(where, unknown[0])}: unknown; known are {', '.join(sorted(readers))}")
    return {name: readers[name](value, key_path(where, name)) for name, value in document.items()}


def key_path(where: str, name: str) -> str:
    """The key as it is written: `table.key`."""
    return f"{where}.{name}" if where else name


def text(value: Any, where: str) -> str:
    """A short printable text."""
    if not isinstance(value, str) or not 0 < len(value) <= 64 or not value.isprintable():
        raise ValueError(f"{where}: must be a text of 1 to 64 printable characters")
    return value


def address(value: Any, where: str) -> str:
    """An address as written."""
    if not isinstance(value, str) or not 0 < len(value) <= _ADDRESS_LIMIT or not value.isprintable() or " " in value:
        raise ValueError(f"{where}: must be an address of at most {_ADDRESS_LIMIT} characters")
    return value


def file_path(value: Any, where: str) -> Path:
    """The path of a file, which need not be there yet."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError(f"{where}: must be the path of a file")
    return Path(value)


def zone_name(value: Any, where: str) -> str:
    """The name of a time zone."""
    try:
        return ZoneInfo(text(value, where)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{where}: must be a zone such as Europe/Madrid") from None


def one_of(*choices: str) -> Callable[[Any, str], str]:
    """A reader that takes one of these texts."""

    def read(value: Any, where: str) -> str:
        if value not in choices:
            raise ValueError(f"{where}: must be one of {', '.join(choices)}")
        return str(value)

    return read
