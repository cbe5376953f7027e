"""Texts as the arrays of a `rare` artifact, and the words of findings' names as the search reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.codes import normalised
from cds_service.domain.ontology import Ontology
from cds_service.domain.texts import packed


class Phrase(NamedTuple):
    """A name or synonym of a finding: its number, its normalised words, and how many annotations the finding has."""

    number: int
    plain: str
    n_annotations: int


def text_arrays(name: str, texts: Iterable[str]) -> dict[str, NDArray[Any]]:
    """Texts by row."""
    content, lengths = packed(texts)
    return {f"{name}.content": content, f"{name}.lengths": lengths}


def key_arrays(name: str, rows: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    """Texts in order, with the row each stands for."""
    ordered = sorted(rows)
    return text_arrays(name, ordered) | {f"{name}.rows": np.array([rows[key] for key in ordered], np.uint16)}


def word_arrays(
    ontology: Ontology, synonyms: Sequence[Sequence[str]], n_annotations: Mapping[int, int]
) -> dict[str, NDArray[Any]]:
    """What `WordIndex` holds (cds_service/inference/ranker_knowledge.py)."""
    phrases = _phrases(ontology, synonyms, n_annotations)
    numbers: dict[str, list[int]] = {}
    for phrase in phrases:
        for word in set(phrase.plain.split()):
            numbers.setdefault(word, []).append(phrase.number)
    words = sorted(numbers)
    ranks = np.zeros(len(ontology) + sum(map(len, synonyms)), np.uint16)
    by_rank = sorted(phrases, key=lambda phrase: (len(phrase.plain), -phrase.n_annotations))
    ranks[[phrase.number for phrase in by_rank]] = np.arange(len(by_rank))
    return {
        **text_arrays("words", words),
        "counts": np.array([len(numbers[word]) for word in words], np.uint16),
        "phrases": np.array([number for word in words for number in numbers[word]], np.uint16),
        "in_order": np.array([phrase.number for phrase in sorted(phrases, key=lambda one: one.plain)], np.uint16),
        "ranks": ranks,
    }


def _phrases(ontology: Ontology, synonyms: Sequence[Sequence[str]], n_annotations: Mapping[int, int]) -> list[Phrase]:
    """Names and synonyms of findings, term by term; synonyms of all terms are numbered after all names."""
    found = []
    synonym = len(ontology)
    for row, (name, listed) in enumerate(zip(ontology.names, synonyms, strict=True)):
        if ontology.is_finding[row]:
            numbered = [(row, name), *enumerate(listed, synonym)]
            found += [Phrase(at, " ".join(normalised(text)), n_annotations.get(row, 0)) for at, text in numbered]
        synonym += len(listed)
    return found
