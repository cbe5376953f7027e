"""Who calls, from a TOML file: what the service knows of each client before it asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cds_service.domain.actor import LOCAL, Actor
from cds_service.i18n import LANGUAGES
from cds_service.settings.toml import from_file, table, text


def local_client_from_file(path: Path) -> Actor:
    """Whoever calls while CDS_CLIENT_AUTH is off; ConfigurationError names a key that will not do."""
    return from_file(path, _local_client)


def _local_client(document: Mapping[str, Any]) -> Actor:
    clients = table(document, "", {"client": _clients}).get("client", {})
    return replace(LOCAL, **clients.get(LOCAL.name, {}))


def _clients(document: Any, where: str) -> dict[str, dict[str, str]]:
    return table(document, where, {LOCAL.name: _client})


def _client(document: Any, where: str) -> dict[str, str]:
    return table(document, where, {"tenant": text, "language": _language})


def _language(value: Any, where: str) -> str:
    if value not in LANGUAGES:
        raise ValueError(f"{where}: must be one of {', '.join(LANGUAGES)}")
    return str(value)
