"""Who is let in: known senders only, so many connections of one, so many of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from enum import StrEnum

from cds_service.domain.actor import Actor
from cds_service.settings import Settings
from cds_service.settings.peers import Address


class Refusal(StrEnum):
    """Why a connection is closed before anything is read from it."""

    UNKNOWN = "unknown_sender"
    TOO_MANY = "too_many_connections"
    TOO_MANY_OF_ADDRESS = "too_many_of_address"
    TOO_MANY_OF_SENDER = "too_many_of_sender"
    HANDSHAKE = "tls_handshake_failed"


class Refused(Exception):
    """This connection is closed."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Gate:
    """Counts open connections; used from the listener's thread only."""

    def __init__(self, settings: Settings) -> None:
        self._peers = settings.clients.mllp.peers
        self._limits = settings.clients.mllp.limits
        self._local = settings.clients.local if settings.client_auth == "off" else None
        self._open = 0
        self._of: Counter[Address | str] = Counter()

    @contextmanager
    def arrival(self, address: Address) -> Iterator[None]:
        """A place for a connection whose sender is not known yet; Refused when none is left or nobody may be there."""
        if not (self._is_local(address) or any(peer.may_call_from(address) for peer in self._peers)):
            raise Refused(Refusal.UNKNOWN)
        if self._open >= self._limits.connections:
            raise Refused(Refusal.TOO_MANY)
        self._open += 1
        try:
            with self._one_of(address, Refusal.TOO_MANY_OF_ADDRESS):
                yield
        finally:
            self._open -= 1

    @contextmanager
    def sender(self, address: Address, certificate_names: Collection[str]) -> Iterator[Actor]:
        """The first sender of the file that fits address and certificate; Refused without one, or over its limit."""
        actor = self._actor(address, certificate_names)
        with self._one_of(actor.name, Refusal.TOO_MANY_OF_SENDER):
            yield actor

    @contextmanager
    def _one_of(self, whose: Address | str, refusal: Refusal) -> Iterator[None]:
        if self._of[whose] >= self._limits.peer_connections:
            raise Refused(refusal)
        self._of[whose] += 1
        try:
            yield
        finally:
            self._of[whose] -= 1
            if not self._of[whose]:
                del self._of[whose]

    def _actor(self, address: Address, certificate_names: Collection[str]) -> Actor:
        for peer in self._peers:
            if peer.may_call_from(address) and peer.shows(certificate_names):
                return peer.actor
        if self._local is None or not self._is_local(address):
            raise Refused(Refusal.UNKNOWN)
        return self._local

    def _is_local(self, address: Address) -> bool:
        return self._local is not None and address.is_loopback
