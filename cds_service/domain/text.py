"""Text of a sender, made safe to keep: bounded, on one line, without control characters."""

from __future__ import annotations

MAX_ORIGINAL = 40
MAX_SOURCE = 80
MAX_NAME = 200


def bounded(text: str, limit: int = MAX_ORIGINAL) -> str:
    """The text with unprintable characters as spaces, cut to `limit` characters with an ellipsis."""
    if len(text) <= limit and text.isprintable():
        return text
    plain = "".join(c if c.isprintable() else " " for c in text[: limit + 1])
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"
