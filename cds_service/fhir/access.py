"""What a client lets the service read: one FHIR server it may name, and a token that lives as long as the call."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from cds_service.errors import DataRequired

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# What ends in an IPv4 address: NAT64 (RFC 6052, 2.1) and "IPv4-compatible" (RFC 4291, 2.5.5.1).
_CARRY_IPV4 = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))


@dataclass(frozen=True, slots=True)
class ServerRule:
    """The FHIR servers one client may name, spelled exactly, and where their names may lead.

    `networks` are the addresses a private server may have; a public address needs none. Plain http is for
    development: with `allow_loopback`, and on loopback only.
    """

    bases: Collection[str] = ()
    networks: Collection[Network] = ()
    allow_loopback: bool = False


@dataclass(frozen=True, slots=True)
class FhirAccess:
    """One server and the token for it, for one call. Its text never shows the token."""

    base: str
    token: str | None
    rule: ServerRule

    def __repr__(self) -> str:
        """The server alone."""
        return f"FhirAccess(base={self.base!r})"


def granted_access(server: str, token: str | None, rule: ServerRule) -> FhirAccess:
    """Access to the server a request names; DataRequired when it is not one this client may name.

    Compared as text but for one slash at its end: no two spellings of an address mean the same here.
    """
    base = server.removesuffix("/")
    if base not in {allowed.removesuffix("/") for allowed in rule.bases}:
        raise DataRequired("not a FHIR server this client may name", where="fhirServer")
    if problem := base_problem(base, allow_loopback=rule.allow_loopback):
        raise DataRequired(problem, where="fhirServer")
    return FhirAccess(base, token, rule)


def base_problem(base: str, *, allow_loopback: bool) -> str | None:
    """Why this address cannot be a FHIR server's; None when it can."""
    try:
        parts = urlsplit(base)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return "not an address"
    if not host or parts.username is not None or parts.query or parts.fragment or "\\" in base:
        return "must be https://host[:port]/path"
    if parts.scheme == "https" or (parts.scheme == "http" and allow_loopback and _is_loopback_name(host)):
        return None
    return "must be https; http is for development, on loopback with CDS_ALLOW_HTTP_FHIR"


def may_connect(address: str, rule: ServerRule) -> bool:
    """Whether the service may connect to what a server's name resolved to.

    Names are somebody else's to change: an allowed one may lead to this machine or to a cloud's metadata. So a
    public address will do, a private one only when configured, loopback in development only.
    """
    found = _reached(ip_address(address.partition("%")[0]))
    if found.is_loopback:
        return rule.allow_loopback
    if found.is_link_local or found.is_multicast or found.is_unspecified:
        return False
    return found.is_global or any(found in network for network in rule.networks)


def _reached(address: Address) -> Address:
    """What is connected to: an IPv6 address that only carries one of IPv4 leads there."""
    if isinstance(address, IPv4Address) or address.is_loopback:
        return address
    if any(address in prefix for prefix in _CARRY_IPV4):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_loopback_name(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """Why a query brought nothing, without a word of what the server said."""

    reason: str
