"""Who may send HL7 v2 messages over MLLP, and within which limits: the table `mllp` of the clients file."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any

from cds_service.domain.actor import Actor
from cds_service.i18n import LANGUAGES
from cds_service.settings.toml import one_of, table, text

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Peer:
    """One sender, known by its address, by the name in its certificate, or by both where both are given."""

    actor: Actor
    networks: tuple[Network, ...] = ()
    certificate: str | None = None

    def may_call_from(self, address: Address) -> bool:
        """Whether the sender may have this address."""
        return not self.networks or any(address in network for network in self.networks)

    def shows(self, certificate_names: Collection[str]) -> bool:
        """Whether these names of a verified certificate are enough to be this sender."""
        return self.certificate is None or self.certificate in certificate_names


@dataclass(frozen=True, slots=True)
class MllpLimits:
    """What one connection, one sender and all of them may take. All defaults are chosen by us; a site may set them.

    Together they bound memory: every connection may hold one message, 256 MiB with these.
    """

    # As large as a hook's body; an ORU with 30 vital signs has 4 KB, a scanned page in ED over 1 MiB has no vitals.
    message_bytes: int = 1024 * 1024
    # An integration engine opens 1 to 10; a ward of monitors that connect by themselves about 30.
    connections: int = 256
    # Two senders at this limit leave others most of `connections`. A thread waits for the database for each.
    peer_connections: int = 24
    # Senders keep a connection open over a quiet night shift; keep-alive probes end those whose host is gone sooner.
    idle_s: float = 3600.0
    # As long as a request body over HTTP may take: 1 MiB at 35 KB/s.
    frame_s: float = 30.0
    # An acknowledgment has 200 bytes: who does not take it within this time does not read at all.
    answer_s: float = 10.0


# The least and the most a site may set, chosen by us: less stops ordinary senders, more is no limit.
_BOUNDS: dict[str, tuple[float, float]] = {
    "message_bytes": (1024, 64 * 1024 * 1024),
    "connections": (1, 4096),
    "peer_connections": (1, 256),
    "idle_s": (0.1, 7 * 24 * 3600),
    "frame_s": (0.1, 3600),
    "answer_s": (0.1, 600),
}


@dataclass(frozen=True, slots=True)
class Mllp:
    """Senders in the order of the file, and the limits in force."""

    peers: tuple[Peer, ...] = ()
    limits: MllpLimits = MllpLimits()


def mllp_from_table(document: Any, where: str) -> Mllp:
    """The table `mllp`; ValueError names a key that will not do."""
    found = table(document, where, {"peer": _peers, "limits": _limits})
    return Mllp(peers=found.get("peer", ()), limits=found.get("limits", MllpLimits()))


def _peers(document: Any, where: str) -> tuple[Peer, ...]:
    if not isinstance(document, dict):
        raise ValueError(f"{where}: must be a table")
    return tuple(_peer(name, entry, f"{where}.{name}") for name, entry in document.items())


def _peer(name: str, document: Any, where: str) -> Peer:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{where}: name a sender by up to 64 letters, digits, dots, hyphens and underscores")
    found = table(document, where, PEER_KEYS)
    if "tenant" not in found:
        raise ValueError(f"{where}.tenant: say whose messages these are")
    if not found.get("address") and "certificate" not in found:
        raise ValueError(f"{where}: give address, certificate or both")
    actor = Actor(
        name=name,
        kind="client",
        role="client",
        tenant=found["tenant"],
        environment=found.get("environment", "test"),
        language=found.get("language"),
    )
    return Peer(actor, networks=found.get("address", ()), certificate=found.get("certificate"))


def _networks(value: Any, where: str) -> tuple[Network, ...]:
    items = [value] if isinstance(value, str) else value
    try:
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise ValueError
        return tuple(ip_network(item) for item in items)
    except ValueError:
        raise ValueError(f"{where}: must be addresses or networks such as 10.1.2.0/24") from None


def _certificate(value: Any, where: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 253 or not value.isprintable():
        raise ValueError(f"{where}: must be the DNS name, or the common name, in the sender's certificate")
    return value


def _limits(document: Any, where: str) -> MllpLimits:
    readers = {field.name: partial(_limit, field.name) for field in fields(MllpLimits)}
    return MllpLimits(**table(document, where, readers))


def _limit(name: str, value: Any, where: str) -> float:
    least, most = _BOUNDS[name]
    kinds = int if isinstance(least, int) else int | float
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
        raise ValueError(f"{where}: must be a {'whole ' if kinds is int else ''}number from {least:g} to {most:g}")
    return value


PEER_KEYS: dict[str, Callable[[Any, str], Any]] = {
    "address": _networks,
    "certificate": _certificate,
    "tenant": text,
    "environment": one_of("production", "test"),
    "language": one_of(*LANGUAGES),
}
