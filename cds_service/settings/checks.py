"""What is wrong with settings only when they are seen together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds_service.settings.peers import Mllp
from cds_service.settings.variables import is_loopback


def combination_problems(values: Mapping[str, Any]) -> list[str]:
    """A sentence with the remedy for each combination that must not start; settings not read are passed over."""
    problems: list[str] = []
    on_loopback = is_loopback(values["http_bind"][0]) if "http_bind" in values else True
    if values.get("client_auth") == "off" and not on_loopback:
        problems.append("CDS_CLIENT_AUTH: off is for loopback only; set it to required, or CDS_HTTP_BIND to 127.0.0.1")
    if not on_loopback and str(values.get("public_url", "")).startswith("http://"):
        problems.append("CDS_PUBLIC_URL: name the https address clients use; CDS_HTTP_BIND is not on loopback")
    if values.get("workers", 1) > 1 and str(values.get("database_url", "")).startswith("sqlite"):
        problems.append("CDS_WORKERS: SQLite takes one process's writes; set it to 1 or use PostgreSQL")
    return problems


def mllp_problems(values: Mapping[str, Any], mllp: Mllp) -> list[str]:
    """The same of the MLLP listener: senders it could never know, and half a TLS."""
    problems: list[str] = []
    bind, certificate = values.get("mllp_bind"), values.get("mllp_tls_certificate")
    if bind and values.get("client_auth") == "off" and not is_loopback(bind[0]):
        problems.append("CDS_CLIENT_AUTH: off is for loopback only; set it to required, or CDS_MLLP_BIND to 127.0.0.1")
    if bind and values.get("client_auth") == "required" and not mllp.peers:
        problems.append("CDS_MLLP_BIND: every sender would be refused; name them as mllp.peer in CDS_CLIENTS_FILE")
    if bind and values.get("workers", 1) > 1:
        problems.append("CDS_WORKERS: one process can listen for MLLP; set it to 1, or leave CDS_MLLP_BIND empty")
    if bool(certificate) != bool(values.get("mllp_tls_key")):
        problems.append("CDS_MLLP_TLS_CERTIFICATE: give it together with CDS_MLLP_TLS_KEY, or neither")
    if values.get("mllp_tls_client_ca") and not certificate:
        problems.append("CDS_MLLP_TLS_CLIENT_CA: set CDS_MLLP_TLS_CERTIFICATE and CDS_MLLP_TLS_KEY as well")
    named = [peer.actor.name for peer in mllp.peers if peer.certificate is not None]
    if named and bind and not values.get("mllp_tls_client_ca"):
        problems.append(f"CDS_MLLP_TLS_CLIENT_CA: mllp.peer.{named[0]} is known by its certificate; say who signs it")
    return problems
