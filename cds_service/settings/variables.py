"""The table of settings: name, default, what is taken, and how its text becomes a value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_BIND = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})")
_DATABASE = re.compile(r"(sqlite(\+pysqlite)?:///.+|postgresql(\+psycopg)?://.+)")


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting: `read` turns its text into the value of `field`, or raises ValueError with the remedy."""

    name: str
    default: str
    taken: str
    read: Callable[[str], Any]

    @property
    def field(self) -> str:
        """Name of the field of Settings."""
        return self.name.removeprefix("CDS_").lower()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bind(text: str) -> tuple[str, int]:
    match = _BIND.fullmatch(text)
    if match is None or not 1 <= int(match[2]) <= 65535:
        raise ValueError("give host:port, such as 127.0.0.1:8080 or [::1]:8080")
    return match[1].strip("[]"), int(match[2])


def _optional_bind(text: str) -> tuple[str, int] | None:
    return _bind(text) if text else None


def _database(text: str) -> str:
    if not _DATABASE.fullmatch(text):
        raise ValueError("give sqlite:///path/to/file or postgresql://user@host/name")
    return text


def _base_url(text: str) -> str:
    return _url(text.rstrip("/")) if text else ""


def _url(text: str, *, path: bool = True) -> str:
    try:
        url = urlsplit(text)
        port_is_valid = url.port != 0
    except ValueError:
        raise ValueError("give a whole address, such as https://cds.example.org") from None
    if not port_is_valid or not url.hostname or url.scheme not in ("http", "https") or "@" in url.netloc:
        raise ValueError("give a whole address, such as https://cds.example.org")
    if url.query or url.fragment or (url.path and not path) or any(character.isspace() for character in text):
        raise ValueError(f"give {'scheme, host and path' if path else 'scheme and host'} only")
    if url.scheme == "http" and not is_loopback(url.hostname):
        raise ValueError("http is for loopback only: give an https address")
    return text


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(origin.strip() for origin in text.split(",") if origin.strip())
    if "*" in origins:
        raise ValueError("* would let any page call: list the origins, separated by commas")
    return tuple(_url(origin, path=False).lower() for origin in origins)


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"choose {' or '.join(choices)}")
        return text

    return read


def _yes_or_no(text: str) -> bool:
    return _one_of("yes", "no")(text) == "yes"


def _count(most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
            raise ValueError(f"give a number from 1 to {most}")
        return int(text)

    return read


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 36500:
        raise ValueError("give a number of days up to 36500, or 0 to keep everything")
    return int(text)


def _optional_path(text: str) -> Path | None:
    return Path(text) if text else None


# CDS_SECRET_KEY is read apart (secret.py): its text must reach no list of values.
VARIABLES = (
    Variable("CDS_DATABASE_URL", "sqlite:///var/cds.db", "`sqlite:///path` or `postgresql://…`", _database),
    Variable("CDS_HTTP_BIND", "127.0.0.1:8080", "`host:port`", _bind),
    Variable("CDS_MLLP_BIND", "", "`host:port`", _optional_bind),
    Variable("CDS_MLLP_TLS_CERTIFICATE", "", "a PEM file", _optional_path),
    Variable("CDS_MLLP_TLS_KEY", "", "a PEM file", _optional_path),
    Variable("CDS_MLLP_TLS_CLIENT_CA", "", "a PEM file", _optional_path),
    Variable("CDS_PUBLIC_URL", "", "`https://…`; `http://` on loopback", _base_url),
    Variable("CDS_MODELS_DIR", "models", "a directory", Path),
    Variable("CDS_CLIENT_AUTH", "required", "`required` or `off`", _one_of("required", "off")),
    Variable("CDS_ALLOW_HTTP_FHIR", "no", "`yes` or `no`", _yes_or_no),
    Variable("CDS_CLIENTS_FILE", "", "a TOML file", _optional_path),
    Variable("CDS_SITE_FILE", "", "a TOML file", _optional_path),
    Variable("CDS_DATASET_FILE", "", "a TOML file", _optional_path),
    Variable("CDS_CORS_ORIGINS", "", "origins, separated by commas", _origins),
    Variable("CDS_FHIR_VALIDATION", "fast", "`fast` or `strict`", _one_of("fast", "strict")),
    Variable("CDS_HL7_VALIDATION", "fast", "`fast` or `strict`", _one_of("fast", "strict")),
    Variable("CDS_RETENTION_DAYS", "0", "a number of days up to 36500; 0 keeps everything", _days),
    # Chosen by us: a refused message is found and replayed, and a question about one answered, within a month.
    Variable(
        "CDS_MESSAGE_RETENTION_DAYS", "30", "a number of days up to 36500; 0 keeps them as long as all else", _days
    ),
    Variable("CDS_WORKERS", "1", "a number from 1 to 64", _count(64)),
    # Chosen by us: a hundred calls a second, more than one EHR's people open charts; it stops a runaway loop.
    Variable("CDS_RATE_LIMIT", "6000", "a number from 1 to 1000000", _count(1_000_000)),
    Variable("CDS_LOG_FILE", "", "a file", _optional_path),
)
