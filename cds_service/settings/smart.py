"""How the service is registered as an app of an EHR (SMART App Launch), from the clients file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cds_service.fhir.access import base_problem
from cds_service.fhir.smart import Endpoints
from cds_service.settings.toml import address, file_path, table, text

# The launch's context and who the user is. Nothing is read from the EHR with the token, so no more is asked for.
SCOPES = "launch openid fhirUser"

_ENDPOINTS = ("authorize", "token", "issuer", "keys")


@dataclass(frozen=True, slots=True)
class SmartApp:
    """The EHR whose users may open cards here, and what it knows this service as.

    `endpoints` is None where the EHR's own `.well-known/smart-configuration` names them, `secret` the file with the
    app's secret, None for a public app.
    """

    iss: str
    client_id: str
    tenant: str
    scopes: str = SCOPES
    secret: Path | None = None
    endpoints: Endpoints | None = None


def smart_from_table(document: Any, where: str, *, tenant: str | None, allow_http: bool) -> SmartApp:
    """One `client.NAME.smart`; ValueError names a key that is unknown or will not do."""
    found = table(document, where, SMART_KEYS)
    for key in ("iss", "client_id"):
        if key not in found:
            raise ValueError(f"{where}.{key}: required")
    whose = found.get("tenant", tenant)
    if whose is None:
        raise ValueError(f"{where}.tenant: say whose patients are opened: the client has several tenants")
    for key in ("iss", "authorize", "token", "keys"):
        if key in found and (problem := base_problem(found[key], allow_loopback=allow_http)):
            raise ValueError(f"{where}.{key}: {problem}")
    return SmartApp(
        iss=found["iss"],
        client_id=found["client_id"],
        tenant=whose,
        scopes=found.get("scopes", SCOPES),
        secret=found.get("secret"),
        endpoints=_endpoints(found, where),
    )


def _endpoints(found: Mapping[str, Any], where: str) -> Endpoints | None:
    given = [key for key in _ENDPOINTS if key in found]
    if not given:
        return None
    if len(given) < len(_ENDPOINTS):
        raise ValueError(f"{where}.{given[0]}: give all of {', '.join(_ENDPOINTS)}, or none for the EHR's own")
    return Endpoints(**{key: found[key] for key in _ENDPOINTS})


def _scopes(value: Any, where: str) -> str:
    if not isinstance(value, str) or not {"launch", "openid", "fhirUser"} <= set(value.split()) or len(value) > 512:
        raise ValueError(f"{where}: must hold launch, openid and fhirUser, separated by blanks")
    return value


SMART_KEYS = {
    "iss": address,
    "client_id": text,
    "tenant": text,
    "scopes": _scopes,
    "secret": file_path,
    **dict.fromkeys(_ENDPOINTS, address),
}
