"""Who may call which address: one row each, and the check that reads it."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.domain.actor import Actor
from cds_service.errors import Unauthorized
from cds_service.settings import Settings


@dataclass(frozen=True, slots=True)
class Access:
    """What an address demands: `open` to anyone, or a known `client`."""

    authentication: str


_OPEN = Access("open")
_CLIENT = Access("client")

# By Flask endpoint. Discovery and health tell nothing of any patient.
ACCESS: dict[str, Access] = {
    "hooks.list_services": _OPEN,
    "hooks.call_service": _CLIENT,
    "fhir.assess_posted_bundle": _CLIENT,
    "fhir.read_risk_assessment": _CLIENT,
    "predictions.predict": _CLIENT,
    "predictions.read_prediction": _CLIENT,
    "predictions.explain_prediction": _CLIENT,
    "models.model_card": _OPEN,
    "health.livez": _OPEN,
    "health.readyz": _OPEN,
    "health.metrics": _OPEN,
    "openapi.document": _OPEN,
}


def authenticate(settings: Settings) -> Actor:
    """The caller of an address that demands a client; Unauthorized when there is no way to know it."""
    if settings.client_auth == "off":
        return settings.clients.local
    raise Unauthorized("authentication is required")
