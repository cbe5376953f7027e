"""Finds HPO terms by what people type: beginnings of words in any order, a slip of the finger forgiven."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cds_service.domain.codes import normalised
from cds_service.domain.ontology import Ints, Ontology
from cds_service.inference.ranker_knowledge import Knowledge

# More words or letters than this name no finding.
_MOST_WORDS, _LONGEST_WORD = 8, 30
# Letters from which one slip, and two, are forgiven. Chosen by us: shorter words turn into others too easily.
_ONE_SLIP, _TWO_SLIPS = 4, 9


class Hit(NamedTuple):
    """One finding: its id, its name, and the name or synonym that was found."""

    term: str
    name: str
    matched: str


class Words:
    """Names and synonyms of all findings, by the words in them; built once."""

    def __init__(self, knowledge: Knowledge) -> None:
        ontology = knowledge.ontology
        self._ontology: Ontology = ontology
        rows = np.flatnonzero(ontology.is_finding).tolist()
        listed = [(row, phrase) for row in rows for phrase in (ontology.names[row], *knowledge.synonyms[row])]
        self._phrases = [phrase for _, phrase in listed]
        self._rows = [row for row, _ in listed]
        self._plain = [" ".join(normalised(phrase)) for phrase in self._phrases]
        numbers: dict[str, list[int]] = {}
        for number, plain in enumerate(self._plain):
            for word in set(plain.split()):
                numbers.setdefault(word, []).append(number)
        self._words = sorted(numbers)
        self._starts = np.cumsum([0, *(len(numbers[word]) for word in self._words)])
        self._numbers = np.array([number for word in self._words for number in numbers[word]], np.int32)
        self._exact: dict[str, int] = {}
        for plain, row in zip(self._plain, self._rows, strict=True):
            self._exact.setdefault(plain, row)
        self._common = np.bincount(knowledge.annotated.term, minlength=len(ontology))

    def term(self, text: str) -> str | None:
        """The id of the finding with exactly this name or synonym, None where there is none."""
        row = self._exact.get(" ".join(normalised(text)))
        return None if row is None else self._ontology.ids[row]

    def search(self, text: str, limit: int = 10) -> list[Hit]:
        """Findings whose name holds all words of the text, or their beginnings, the likeliest first.

        Whole names come first, then names that begin with the text, then short ones, then those of many diseases.
        """
        words = [word[:_LONGEST_WORD] for word in normalised(text)[:_MOST_WORDS]]
        found: Ints | None = None
        for word in words:
            numbers = self._with_word(word)
            found = numbers if found is None else np.intersect1d(found, numbers, assume_unique=True)
        plain = " ".join(words)
        hits: dict[int, Hit] = {}
        for number in sorted(() if found is None else found.tolist(), key=lambda number: self._order(number, plain)):
            row = self._rows[number]
            hits.setdefault(row, Hit(self._ontology.ids[row], self._ontology.names[row], self._phrases[number]))
            if len(hits) == limit:
                break
        return list(hits.values())

    def _order(self, number: int, plain: str) -> tuple[bool, bool, int, int, int]:
        name = self._plain[number]
        row = self._rows[number]
        return (name != plain, not name.startswith(plain), len(name), -int(self._common[row]), number)

    def _with_word(self, word: str) -> Ints:
        """Phrases with a word that begins so; where there is none, with one that is a slip or two away."""
        first = bisect_left(self._words, word)
        last = bisect_left(self._words, word + "\uffff")
        if first < last:
            return np.unique(self._numbers[self._starts[first] : self._starts[last]])
        slips = 2 if len(word) >= _TWO_SLIPS else 1 if len(word) >= _ONE_SLIP else 0
        near = [at for at in self._beginning_with(word[:1]) if slips and is_near(self._words[at], word, slips)]
        parts = [self._numbers[self._starts[at] : self._starts[at + 1]] for at in near]
        return np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int32)

    def _beginning_with(self, letter: str) -> range:
        """Words of the same first letter: people seldom miss that one."""
        return range(bisect_left(self._words, letter), bisect_left(self._words, letter + "\uffff"))


def is_near(word: str, typed: str, slips: int) -> bool:
    """Whether the beginning of a word is what was typed but for so many letters changed, missed, added or swapped."""
    if len(word) < len(typed) - slips:
        return False
    target = word[: len(typed) + slips]
    before: list[int] = []
    row = list(range(len(target) + 1))
    for i, letter in enumerate(typed, 1):
        before, row, last = row, [i], before
        for j, other in enumerate(target, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == target[j - 2] and typed[i - 2] == other:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > slips:
            return False
    return min(_ends(row, typed)) <= slips


def _ends(row: Sequence[int], typed: str) -> Sequence[int]:
    """The distances to all beginnings of the word about as long as what was typed."""
    return row[max(1, len(typed) - 2) :] or row[-1:]
