"""Finds rare diseases by the words of their names, or by an id, for people who type one."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from cds_service.domain.codes import normalised
from cds_service.inference.ranker_knowledge import Knowledge

_ID = re.compile(r"(orpha|omim)[:\s]*(\d{1,7})", re.IGNORECASE)


class Disease(NamedTuple):
    """One disease of the knowledge base: the ids it has, Orphanet's first, and its name in English."""

    ids: tuple[str, ...]
    name: str


def find_diseases(knowledge: Knowledge, text: str, *, limit: int) -> list[Disease]:
    """Diseases with this id, or in whose name each word of the text begins a word; short names first."""
    asked = _ID.fullmatch(text.strip())
    if asked:
        row = knowledge.disease_rows.get(f"{asked[1].upper()}:{int(asked[2])}")
        return [] if row is None else [_disease(knowledge, row)]
    words = [f" {word}" for word in normalised(text)]
    plain = _plain_names(knowledge).split("\n")
    rows = [row for row, name in enumerate(plain) if words and all(word in name for word in words)]
    rows.sort(key=lambda row: (not plain[row].startswith(words[0]), len(plain[row]), plain[row]))
    return [_disease(knowledge, row) for row in rows[:limit]]


def _disease(knowledge: Knowledge, row: int) -> Disease:
    ids = (knowledge.diseases[row], *knowledge.also[row])
    return Disease(tuple(sorted(ids, key=lambda one: not one.startswith("ORPHA:"))), knowledge.names[row])


@lru_cache(maxsize=2)
def _plain_names(knowledge: Knowledge) -> str:
    """Each name as its normalised words, with a blank before the first, in a line; one text takes a third of many."""
    return "\n".join(f" {' '.join(normalised(name))}" for name in knowledge.names)
