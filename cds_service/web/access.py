"""Who may call which address: one row each, and the check that reads it."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.domain.actor import Actor
from cds_service.runtime import Runtime
from cds_service.web.authentication import client_of_request


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
    "feedback.take_feedback": _CLIENT,
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


def authenticate(process: Runtime) -> Actor:
    """The caller of an address that demands one; Unauthorized when the request does not prove who it is."""
    if process.settings.client_auth == "off":
        return process.settings.clients.local
    return client_of_request(process)
