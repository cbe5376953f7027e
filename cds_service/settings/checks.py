"""What is wrong with settings only when they are seen together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
