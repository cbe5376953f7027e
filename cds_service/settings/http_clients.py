"""Client systems that call over HTTP: who signs their tokens, whose data they bring, what may be read from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from types import MappingProxyType
from typing import Any

from cds_service.cdshooks.key_source import KeySource
from cds_service.domain.actor import ENVIRONMENTS, LAUNCHED, Actor
from cds_service.fhir.access import Network, ServerRule, base_problem
from cds_service.i18n import LANGUAGES
from cds_service.settings.smart import SmartApp, smart_from_table
from cds_service.settings.toml import address, file_path, one_of, table, text


@dataclass(frozen=True, slots=True)
class HttpClient:
    """One client system. `tenants` maps the `tenant` claim of its tokens; `tenant` is for a token without one."""

    name: str
    issuer: str
    environment: str
    keys: tuple[KeySource, ...]
    tenant: str | None = None
    tenants: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    language: str | None = None
    fhir: ServerRule = field(default_factory=ServerRule)
    smart: SmartApp | None = None

    def keys_at(self, address: str | None) -> tuple[KeySource, ...]:
        """Where its keys are for a token that names this address, or names none; empty for one it may not name."""
        return self.keys if address is None else tuple(one for one in self.keys if one.address == address)

    def actor(self, tenant_claim: str | None) -> Actor | None:
        """The caller a token of this client stands for; None when its tenant is not one of this client's."""
        tenant = self.tenant if tenant_claim is None else self.tenants.get(tenant_claim)
        if tenant is None:
            return None
        return Actor(
            name=self.name,
            kind="client",
            role="client",
            tenant=tenant,
            environment=self.environment,
            language=self.language,
        )

    def user(self, name: str) -> Actor | None:
        """A clinician at work in the client's record who opens a card; None where nobody may from there."""
        if self.smart is None:
            return None
        return Actor(
            name=name,
            kind="user",
            role="clinician",
            tenant=self.smart.tenant,
            environment=self.environment,
            language=self.language,
            scopes=LAUNCHED,
        )


def client_from_table(name: str, document: Any, where: str, *, allow_http: bool) -> HttpClient:
    """One `client.NAME`; ValueError names a key that is unknown or will not do."""
    found = table(document, where, _KEYS)
    for key in ("issuer", "environment"):
        if key not in found:
            raise ValueError(f"{where}.{key}: required")
    if "tenant" not in found and "tenants" not in found:
        raise ValueError(f"{where}.tenant: say whose patients these are, by tenant or tenants")
    addresses = found.get("jku") or (None,)
    if "jwks" not in found and addresses == (None,):
        raise ValueError(f"{where}.jwks: name the file with the client's public keys, or jku, their address")
    for one in found.get("jku", ()):
        if problem := base_problem(one, allow_loopback=allow_http):
            raise ValueError(f"{where}.jku: {problem}")
    return HttpClient(
        name=name,
        issuer=found["issuer"],
        environment=found["environment"],
        keys=tuple(KeySource(file=found.get("jwks"), address=one) for one in addresses),
        tenant=found.get("tenant"),
        tenants=MappingProxyType(found.get("tenants", {})),
        language=found.get("language"),
        fhir=server_rule(found, where, allow_http=allow_http),
        smart=_smart(found, where, allow_http=allow_http),
    )


def _smart(found: Mapping[str, Any], where: str, *, allow_http: bool) -> SmartApp | None:
    if "smart" not in found:
        return None
    app = smart_from_table(found["smart"], f"{where}.smart", tenant=found.get("tenant"), allow_http=allow_http)
    if app.tenant not in {found.get("tenant"), *found.get("tenants", {}).values()}:
        raise ValueError(f"{where}.smart.tenant: is not one of this client's")
    return app


def server_rule(found: Mapping[str, Any], where: str, *, allow_http: bool) -> ServerRule:
    """The FHIR servers a client's table allows."""
    bases = found.get("fhir", ())
    for base in bases:
        if problem := base_problem(base, allow_loopback=allow_http):
            raise ValueError(f"{where}.fhir: {problem}")
    return ServerRule(bases, found.get("fhir_networks", ()), allow_loopback=allow_http)


def urls(value: Any, where: str) -> tuple[str, ...]:
    """One address or a list of them, as written."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list):
        raise ValueError(f"{where}: must be an address or a list of them")
    return tuple(address(item, where) for item in items)


def networks(value: Any, where: str) -> tuple[Network, ...]:
    """Networks such as 10.1.0.0/16."""
    items = [value] if isinstance(value, str) else value
    try:
        return tuple(ip_network(item) for item in items if isinstance(item, str) or _refuse())
    except (TypeError, ValueError):
        raise ValueError(f"{where}: must be networks such as 10.1.2.0/24") from None


def _refuse() -> bool:
    raise ValueError


def _tenants(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, dict) or not value:
        raise ValueError(f"{where}: must be a table of tenants by the tenant a token names")
    return {claim: text(tenant, f"{where}.{claim}") for claim, tenant in value.items()}


_KEYS = {
    "issuer": address,
    "environment": one_of(*ENVIRONMENTS),
    "tenant": text,
    "tenants": _tenants,
    "language": one_of(*LANGUAGES),
    "jwks": file_path,
    "jku": urls,
    "fhir": urls,
    "fhir_networks": networks,
    "smart": lambda value, where: value,  # read beside the client's tenant
}
