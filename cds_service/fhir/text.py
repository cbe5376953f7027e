"""Text of a sender, made safe to keep: bounded, on one line, without control characters."""

from __future__ import annotations

from msgspec import Raw

MAX_ORIGINAL = 40
MAX_SOURCE = 80
MAX_NAME = 200


def bounded(text: str, limit: int = MAX_ORIGINAL) -> str:
    """The text with unprintable characters as spaces, cut to `limit` characters with an ellipsis."""
    if len(text) <= limit and text.isprintable():
        return text
    plain = "".join(c if c.isprintable() else " " for c in text[: limit + 1])
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def is_given(raw: Raw) -> bool:
    """Whether a member that is kept raw was sent, and not as null."""
    return len(raw) > 0 and raw != _NULL


_NULL = Raw(b"null")


def source_name(kind: str, resource_id: str | None, full_url: str | None) -> str:
    """How a resource is called on a card and in a row: `Observation/77`, else its fullUrl, else its type."""
    if resource_id:
        return bounded(f"{kind}/{resource_id}", MAX_SOURCE)
    return bounded(full_url, MAX_SOURCE) if full_url else kind
