"""Why somebody decided something, in their own words."""

from __future__ import annotations

from cds_service.errors import BadRequest

MAX_REASON = 200


def require_reason(text: str) -> str:
    """The reason without space around it; BadRequest for none, or one that cannot be shown on one line."""
    if not text.strip() or len(text) > MAX_REASON or not text.isprintable():
        raise BadRequest(f"say why in 1 to {MAX_REASON} printable characters, without patient data", where="--reason")
    return text.strip()
