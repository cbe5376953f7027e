"""Every setting of the service, read from the environment once, checked at start and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cds_service.errors import ConfigurationError
from cds_service.settings.checks import combination_problems, mllp_problems
from cds_service.settings.clients import Clients, clients_from_file
from cds_service.settings.secret import PREVIOUS_SETTING, SECRET_SETTING, secret_from_file, secret_problem
from cds_service.settings.site import Site, site_from_file
from cds_service.settings.variables import VARIABLES

__all__ = ["MAX_BODY_BYTES", "Settings", "Site"]

# Chosen by us: 80 times a call of 10 Observations; larger Bundles cannot be assessed within a hook's 500 ms.
MAX_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """What a process runs with. The secret has no place in its text."""

    database_url: str
    http_bind: tuple[str, int]
    public_url: str
    models_dir: Path
    client_auth: str
    allow_http_fhir: bool
    clients_file: Path | None
    site_file: Path | None
    dataset_file: Path | None
    cors_origins: tuple[str, ...]
    fhir_validation: str
    hl7_validation: str
    workers: int
    rate_limit: int
    log_file: Path | None
    secret_key: str
    secret_key_previous: str
    retention_days: int
    message_retention_days: int
    site: Site
    clients: Clients
    mllp_bind: tuple[str, int] | None
    mllp_tls_certificate: Path | None
    mllp_tls_key: Path | None
    mllp_tls_client_ca: Path | None
    max_body_bytes: int = MAX_BODY_BYTES

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Settings from `CDS_` variables; ConfigurationError lists everything that is wrong, each with its remedy."""
        values, problems = _read(environment)
        site, clients = Site(), Clients()
        if values.get("site_file"):
            site = _checked(problems, "CDS_SITE_FILE", site_from_file, values["site_file"]) or site
        if values.get("clients_file"):
            read = partial(clients_from_file, allow_http=values.get("allow_http_fhir", False))
            clients = _checked(problems, "CDS_CLIENTS_FILE", read, values["clients_file"]) or clients
        problems += combination_problems(values) + mllp_problems(values, clients.mllp)
        values["secret_key"] = environment.get(SECRET_SETTING, "")
        if not problems and not values["secret_key"] and _may_keep_own_secret(values):
            directory = sqlite_directory(values["database_url"])
            values["secret_key"] = _checked(problems, SECRET_SETTING, secret_from_file, directory) or ""
        elif problem := secret_problem(values["secret_key"]):
            problems.append(f"{SECRET_SETTING}: {problem}")
        values["secret_key_previous"] = environment.get(PREVIOUS_SETTING, "")
        if values["secret_key_previous"] and (problem := secret_problem(values["secret_key_previous"])):
            problems.append(f"{PREVIOUS_SETTING}: {problem}")
        if problems:
            raise ConfigurationError("; ".join(problems), where="settings")
        return cls(**values, site=site, clients=clients)

    @property
    def var_dir(self) -> Path:
        """Where the process may keep files of its own: beside the SQLite database, else `var`."""
        return sqlite_directory(self.database_url) or Path("var")

    def __repr__(self) -> str:
        """Without the secret, and without the password a database address may hold."""
        return f"Settings(public_url={self.public_url!r}, client_auth={self.client_auth!r}, site={self.site.hash!r})"


def sqlite_directory(database_url: str) -> Path | None:
    """The directory of an SQLite database; None for a server."""
    scheme, _, path = database_url.partition(":///")
    return Path(path.partition("?")[0]).parent if scheme.startswith("sqlite") else None


def _read(environment: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Every variable by the name of its field, and what is wrong with those that could not be read."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for variable in VARIABLES:
        text = environment.get(variable.name, "").strip() or variable.default
        try:
            values[variable.field] = variable.read(text)
        except ValueError as error:
            problems.append(f"{variable.name}: {error}")
    if not values.get("public_url", True) and "http_bind" in values:
        host, port = values["http_bind"]
        values["public_url"] = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    return values, problems


def _may_keep_own_secret(values: Mapping[str, Any]) -> bool:
    """Only a demonstration on this machine alone; `off` was found to be on loopback."""
    return values["client_auth"] == "off" and sqlite_directory(values["database_url"]) is not None


def _checked(problems: list[str], name: str, read: Any, argument: Any) -> Any:
    try:
        return read(argument)
    except ConfigurationError as error:
        problems.append(f"{name}: {error}")
        return None
