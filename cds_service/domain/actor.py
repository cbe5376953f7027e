"""Who asks: a client system, a user or a command, and for which tenant."""

from __future__ import annotations

from dataclasses import dataclass

# What people may be; an admin may do all the others may.
USER_ROLES = ("clinician", "steward", "admin")
ROLES = ("client", *USER_ROLES)
ENVIRONMENTS = ("production", "test")
# A tenant of such a name is an invented hospital: its name marks each of its rows, in every table.
SYNTHETIC = "synthetic"


def is_synthetic(tenant: str) -> bool:
    """Whether the tenant's patients are made up."""
    return tenant.startswith(f"{SYNTHETIC}-")


def counted_as(tenant: str, environment: str) -> str:
    """The environment as figures tell it: what is made up is never counted as production."""
    return SYNTHETIC if is_synthetic(tenant) else environment


@dataclass(frozen=True, slots=True)
class Actor:
    """One authenticated caller.

    `kind` is client, user or command; `environment` production or test. `role` (one of `ROLES`, or operator for a
    command) says what it may do, `scopes` what a token narrows that to, None where it does not.
    `language` is what its cards are written in, None where each request says.
    """

    name: str
    kind: str
    role: str
    tenant: str
    environment: str
    language: str | None = None
    scopes: frozenset[str] | None = None

    @property
    def has_real_patients(self) -> bool:
        """Whether it calls about real patients: of production, and of no invented hospital."""
        return counted_as(self.tenant, self.environment) == "production"


# What whoever comes from an EHR's record may see here: pages of the one patient who is open there.
LAUNCHED = frozenset({"patient-page"})

# The caller when client authentication is off, which start allows on loopback only: nothing it sends is production.
LOCAL = Actor(name="local", kind="client", role="client", tenant="local", environment="test")
