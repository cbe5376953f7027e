"""What was sent of a raw member, and how a resource is called."""

from __future__ import annotations

from msgspec import Raw

from cds_service.domain.text import MAX_SOURCE, bounded


def is_given(raw: Raw) -> bool:
    """Whether a member that is kept raw was sent, and not as null."""
    return len(raw) > 0 and raw != _NULL


_NULL = Raw(b"null")


def source_name(kind: str, resource_id: str | None, full_url: str | None) -> str:
    """How a resource is called on a card and in a row: `Observation/77`, else its fullUrl, else its type."""
    if resource_id:
        name = f"{kind}/{resource_id}"
        return name if len(name) <= MAX_SOURCE and name.isprintable() else bounded(name, MAX_SOURCE)
    return bounded(full_url, MAX_SOURCE) if full_url else kind
