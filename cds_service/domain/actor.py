"""Who asks: a client system, a user or a command, and for which tenant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """One authenticated caller.

    `kind` is client, user or command; `environment` production or test; `role` names a row set of the access table.
    `language` is what its cards are written in, None where each request says.
    """

    name: str
    kind: str
    role: str
    tenant: str
    environment: str
    language: str | None = None


# The caller when client authentication is off, which start allows on loopback only: nothing it sends is production.
LOCAL = Actor(name="local", kind="client", role="client", tenant="local", environment="test")
