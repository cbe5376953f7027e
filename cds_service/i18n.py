"""Words for people in English and Spanish: gettext catalogues that work without a request.

English sentences are the message ids. `msgid` marks a sentence kept in a table for later translation.
"""

from __future__ import annotations

import gettext
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

Translate: TypeAlias = Callable[[str], str]

DOMAIN = "cds"
LOCALE_DIR = Path(__file__).parent / "locale"
LANGUAGES = ("en", "es")
DEFAULT_LANGUAGE = "en"

# RFC 9110 sets no limit; browsers send under 200 characters. What is longer is cut, chosen by us.
_ACCEPT_LANGUAGE_LIMIT = 400


class _Memo(dict[str, str]):
    """Translations already asked for: a message id is a constant of the code, so this stays small."""

    def __init__(self, catalogue: gettext.NullTranslations) -> None:
        super().__init__()
        self._catalogue = catalogue

    def __missing__(self, message: str) -> str:
        text = self[message] = self._catalogue.gettext(message)
        return text


def msgid(message: str) -> str:
    """The message itself; marks it for the catalogue where it stands in a table."""
    return message


@lru_cache(maxsize=len(LANGUAGES))
def translator(language: str) -> Translate:
    """A function from English message to `language`; what a catalogue lacks stays English."""
    catalogue = gettext.translation(DOMAIN, LOCALE_DIR, languages=[language], fallback=language == DEFAULT_LANGUAGE)
    return _Memo(catalogue).__getitem__


@lru_cache(maxsize=256)
def negotiate(accept_language: str | None) -> str:
    """The language of ours that an `Accept-Language` header (RFC 9110, 12.5.4) likes best; English when none fits."""
    if not accept_language:
        return DEFAULT_LANGUAGE
    wanted = dict.fromkeys(LANGUAGES, 0.0)
    for item in accept_language[:_ACCEPT_LANGUAGE_LIMIT].split(","):
        tag, _, parameters = item.partition(";")
        primary = tag.strip().lower().partition("-")[0]
        if primary in wanted:
            wanted[primary] = max(wanted[primary], _quality(parameters))
    best = max(wanted.values())
    return DEFAULT_LANGUAGE if best == 0.0 else next(name for name, quality in wanted.items() if quality == best)


def _quality(parameters: str) -> float:
    """The q-value of one language range: 1 when there is none, 0 when it is not one."""
    name, _, value = parameters.strip().partition("=")
    if not name:
        return 1.0
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if name.strip().lower() == "q" and 0.0 <= quality <= 1.0 else 0.0
