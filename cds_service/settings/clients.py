"""Who calls, from a TOML file: what the service knows of each client before it asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cds_service.domain.actor import LOCAL, Actor
from cds_service.i18n import LANGUAGES
from cds_service.settings.peers import Mllp, mllp_from_table
from cds_service.settings.toml import from_file, one_of, table, text


@dataclass(frozen=True, slots=True)
class Clients:
    """Everyone the file names; `local` is whoever calls while CDS_CLIENT_AUTH is off."""

    local: Actor = LOCAL
    mllp: Mllp = field(default_factory=Mllp)


def clients_from_file(path: Path) -> Clients:
    """The clients of a file; ConfigurationError names a key that will not do."""
    return from_file(path, _clients)


def _clients(document: Mapping[str, Any]) -> Clients:
    found = table(document, "", {"client": _http_clients, "mllp": mllp_from_table})
    local = replace(LOCAL, **found.get("client", {}).get(LOCAL.name, {}))
    return Clients(local=local, mllp=found.get("mllp", Mllp()))


def _http_clients(document: Any, where: str) -> dict[str, dict[str, str]]:
    return table(document, where, {LOCAL.name: _client})


def _client(document: Any, where: str) -> dict[str, str]:
    return table(document, where, {"tenant": text, "language": one_of(*LANGUAGES)})
