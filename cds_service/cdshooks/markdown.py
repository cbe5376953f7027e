"""Makes text that came from data safe inside a card: Markdown, HTML, links and odd characters do nothing there.

Plain words pass as they are. Anything else goes into a code span, in which GitHub-flavoured Markdown knows neither
markup nor automatic links (GFM 0.29, 6.3); characters that could end the span or start HTML are replaced first.
"""

from __future__ import annotations

import re
import unicodedata

# The first character that is no letter, digit, blank or separator that means nothing to Markdown inside a line; a point
# only between digits, so that no word can look like a host name; no "://", "@" or "www.".
_harm = re.compile(r"[^0-9A-Za-zÀ-ÖØ-öø-ÿ°%/,+ -](?<![0-9]\.(?=[0-9]))").search
# Words of ASCII that can be seen, with one blank between them and nothing of `_REPLACED`.
_WORD = "[!-%'-;=?-_a-~]+"
_is_tidy = re.compile(f"{_WORD}(?: {_WORD})*").fullmatch
_REPLACED = str.maketrans({"`": "'", "<": "‹", ">": "›", "&": "+"})
# Control, format (bidirectional marks, zero width), surrogate, private use, unassigned; line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def quoted(text: str, limit: int = 60) -> str:
    """Text from data, safe inside Markdown and HTML, at most `limit` characters and two quotes long."""
    if len(text) <= limit and not _harm(text):
        return text
    cleaned = plain(text, limit)
    return f"`{cleaned}`" if cleaned else ""


def plain(text: str, limit: int = 60) -> str:
    """Text from data for a place that is not Markdown: visible characters on one line, no HTML."""
    return text if len(text) <= limit and _is_tidy(text) else _tidied(text, limit)


def _tidied(text: str, limit: int) -> str:
    # Twice the limit is enough to fill it; a megabyte of blanks costs nothing.
    visible = text[: 2 * limit]
    if not visible.isprintable():  # nothing of `_UNSEEN` is printable
        visible = "".join([" " if unicodedata.category(char) in _UNSEEN else char for char in visible])
    line = " ".join(visible.translate(_REPLACED).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
