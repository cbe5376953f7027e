"""Who calls, from a TOML file: what the service knows of each client before it asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cds_service.domain.actor import LOCAL, Actor
from cds_service.fhir.access import ServerRule
from cds_service.i18n import LANGUAGES
from cds_service.settings.http_clients import HttpClient, client_from_table, networks, server_rule, urls
from cds_service.settings.peers import Mllp, mllp_from_table
from cds_service.settings.toml import from_file, one_of, table, text


@dataclass(frozen=True, slots=True)
class Clients:
    """Everyone the file names: client systems by the issuer of their tokens, and senders of messages.

    `local` is whoever calls while CDS_CLIENT_AUTH is off, `local_fhir` the FHIR servers it may name.
    """

    local: Actor = LOCAL
    local_fhir: ServerRule = field(default_factory=ServerRule)
    http: Mapping[str, HttpClient] = field(default_factory=lambda: MappingProxyType({}))
    mllp: Mllp = field(default_factory=Mllp)

    @property
    def tenants(self) -> frozenset[str]:
        """Every tenant somebody in the file may call for."""
        return frozenset(self.environments())

    def environments(self) -> dict[str, str]:
        """Production or test, by tenant; ValueError for a tenant that is both.

        Patients, stored replies and labels are kept by tenant: what is tested with would mix with what is real.
        """
        known: dict[str, str] = {}
        for where, tenant, environment in self._brought():
            if known.setdefault(tenant, environment) != environment:
                raise ValueError(f"{where}: tenant {tenant} is {known[tenant]}; give test data a tenant of its own")
        return known

    def _brought(self) -> Iterator[tuple[str, str, str]]:
        """Whose patients each caller brings, and for which environment."""
        for client in self.http.values():
            tenants = {*client.tenants.values(), *([] if client.tenant is None else [client.tenant])}
            yield from ((f"client.{client.name}.environment", one, client.environment) for one in sorted(tenants))
        for peer in self.mllp.peers:
            yield f"mllp.peer.{peer.actor.name}.environment", peer.actor.tenant, peer.actor.environment
        yield "client.local.tenant", self.local.tenant, self.local.environment

    def fhir_rule(self, actor: Actor) -> ServerRule:
        """The FHIR servers this caller may name; none for a caller that is no client system of the file."""
        if actor == self.local:
            return self.local_fhir
        rules = (client.fhir for client in self.http.values() if client.name == actor.name and actor.kind == "client")
        return next(rules, ServerRule())

    def named(self, name: str) -> HttpClient | None:
        """The client system of this name."""
        return next((one for one in self.http.values() if one.name == name), None)

    def launched_from(self, iss: str) -> HttpClient | None:
        """The client whose EHR this is, where its users may open cards here; compared as text."""
        return next((one for one in self.http.values() if one.smart is not None and one.smart.iss == iss), None)

    def launches(self, actor: Actor) -> bool:
        """Whether this caller's cards are opened by a launch from its EHR."""
        apps = (one.smart for one in self.http.values() if one.name == actor.name and actor.kind == "client")
        return any(app is not None and app.tenant == actor.tenant for app in apps)

    def key_rule(self, address: str) -> ServerRule:
        """The rule for fetching the key set at this address: its client's, else that of any public address."""
        rules = (client.fhir for client in self.http.values() if client.keys_at(address))
        return replace(next(rules, ServerRule()), bases=(address,))


def clients_from_file(path: Path, *, allow_http: bool = False) -> Clients:
    """The clients of a file; ConfigurationError names a key that will not do."""
    return from_file(path, partial(_clients, allow_http=allow_http))


def _clients(document: Mapping[str, Any], *, allow_http: bool) -> Clients:
    found = table(document, "", {"client": partial(_http_clients, allow_http=allow_http), "mllp": mllp_from_table})
    local: Clients
    local, http = found.get("client", (Clients(), {}))
    clients = replace(local, http=MappingProxyType(http), mllp=found.get("mllp", Mllp()))
    clients.environments()  # none is both
    return clients


def _http_clients(document: Any, where: str, *, allow_http: bool) -> tuple[Clients, dict[str, HttpClient]]:
    if not isinstance(document, dict):
        raise ValueError(f"{where}: must be a table")
    local, by_issuer = Clients(), dict[str, HttpClient]()
    for name, entry in document.items():
        if name == LOCAL.name:
            local = _local(entry, f"{where}.{name}", allow_http=allow_http)
            continue
        client = client_from_table(text(name, where), entry, f"{where}.{name}", allow_http=allow_http)
        if client.issuer in by_issuer:
            raise ValueError(f"{where}.{name}.issuer: {by_issuer[client.issuer].name} has the same")
        if client.smart is not None and (other := _with_iss(by_issuer.values(), client.smart.iss)):
            raise ValueError(f"{where}.{name}.smart.iss: {other} has the same")
        by_issuer[client.issuer] = client
    return local, by_issuer


def _with_iss(clients: Iterable[HttpClient], iss: str) -> str | None:
    return next((one.name for one in clients if one.smart is not None and one.smart.iss == iss), None)


def _local(document: Any, where: str, *, allow_http: bool) -> Clients:
    readers = {"tenant": text, "language": one_of(*LANGUAGES), "fhir": urls, "fhir_networks": networks}
    found = table(document, where, readers)
    described = {name: found[name] for name in ("tenant", "language") if name in found}
    return Clients(local=replace(LOCAL, **described), local_fhir=server_rule(found, where, allow_http=allow_http))
