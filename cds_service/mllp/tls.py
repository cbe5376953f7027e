"""TLS of the MLLP listener: its context from the settings, and the names in a sender's certificate."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from cds_service.errors import ConfigurationError
from cds_service.settings import Settings


def context_from_settings(settings: Settings) -> ssl.SSLContext | None:
    """TLS 1.2 or later, with verified client certificates where a CA is named; None without a certificate.

    ConfigurationError names the file that will not do.
    """
    certificate, key = settings.mllp_tls_certificate, settings.mllp_tls_key
    if certificate is None or key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 9325, 3.1.1: nothing older
    _load(context, certificate, key)
    if settings.mllp_tls_client_ca is not None:
        _trust(context, settings.mllp_tls_client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def certificate_names(ssl_object: ssl.SSLObject | None) -> frozenset[str]:
    """DNS names of the sender's verified certificate, or its common name where it has none; empty without one."""
    found: dict[str, Any] = (ssl_object.getpeercert() if ssl_object is not None else None) or {}
    dns = {value for kind, value in found.get("subjectAltName", ()) if kind == "DNS"}
    common = {value for part in found.get("subject", ()) for kind, value in part if kind == "commonName"}
    return frozenset(dns or common)


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        context.load_cert_chain(certificate, key, password=_refuse_password)
    except ssl.SSLError as error:
        raise ConfigurationError(f"no pair of certificate and key: {error.reason}", where=_CERTIFICATE) from None
    except OSError as error:
        raise ConfigurationError(f"cannot be read with its key: {error.strerror}", where=_CERTIFICATE) from None


def _trust(context: ssl.SSLContext, authority: Path) -> None:
    try:
        context.load_verify_locations(authority)
    except ssl.SSLError as error:
        raise ConfigurationError(f"no certificates: {error.reason}", where=_CLIENT_CA) from None
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=_CLIENT_CA) from None


def _refuse_password() -> str:
    raise ConfigurationError("the key is encrypted; give one without a password", where="CDS_MLLP_TLS_KEY")


_CERTIFICATE, _CLIENT_CA = "CDS_MLLP_TLS_CERTIFICATE", "CDS_MLLP_TLS_CLIENT_CA"
