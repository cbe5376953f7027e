"""Finds HPO terms by what people type: beginnings of words in any order, a slip of the finger forgiven."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cds_service.domain.codes import normalised
from cds_service.domain.ontology import Ints
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
    """Names and synonyms of all findings, by the words in them."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._ontology = knowledge.ontology
        self._synonyms, self._synonym_terms = knowledge.synonyms, knowledge.synonym_terms
        self._index = knowledge.words

    def term(self, text: str) -> str | None:
        """The id of the finding with exactly this name or synonym, None where there is none."""
        whole = self._whole(" ".join(normalised(text)))
        return self._ontology.ids[self._row(int(whole[0]))] if len(whole) else None

    def search(self, text: str, limit: int = 10) -> list[Hit]:
        """Findings whose name holds all words of the text, or their beginnings, the likeliest first.

        Whole names come first, then names that begin with the text, then short ones, then those of many diseases.
        """
        words = [word[:_LONGEST_WORD] for word in normalised(text)[:_MOST_WORDS]]
        if not words:
            return []
        found = self._with_word(words[0])
        for word in words[1:]:
            found = np.intersect1d(found, self._with_word(word), assume_unique=True)
        hits: dict[int, Hit] = {}
        for number in self._ordered(found, " ".join(words)).tolist():
            row = self._row(number)
            hits.setdefault(row, Hit(self._ontology.ids[row], self._ontology.names[row], self._phrase(number)))
            if len(hits) == limit:
                break
        return list(hits.values())

    def _ordered(self, found: Ints, plain: str) -> Ints:
        """Phrases, the likeliest first for words that were typed."""
        begins = ~np.isin(found, self._beginning(plain))
        differs = ~np.isin(found, self._whole(plain))
        return found[np.lexsort((self._index.ranks[found], begins, differs))]

    def _whole(self, plain: str) -> Ints:
        """Phrases of just these words."""
        in_order = self._index.in_order
        first = bisect_left(in_order, plain, key=self._plain)
        return in_order[first : bisect_right(in_order, plain, first, key=self._plain)]

    def _beginning(self, plain: str) -> Ints:
        """Phrases that begin so."""
        in_order = self._index.in_order
        first = bisect_left(in_order, plain, key=self._plain)
        return in_order[first : bisect_right(in_order, plain, first, key=lambda at: self._plain(at)[: len(plain)])]

    def _plain(self, number: int) -> str:
        return " ".join(normalised(self._phrase(number)))

    def _phrase(self, number: int) -> str:
        n_terms = len(self._ontology)
        return self._ontology.names[number] if number < n_terms else self._synonyms[number - n_terms]

    def _row(self, number: int) -> int:
        """The term a phrase names."""
        n_terms = len(self._ontology)
        return number if number < n_terms else int(self._synonym_terms[number - n_terms])

    def _with_word(self, word: str) -> Ints:
        """Phrases with a word that begins so; where there is none, with one that is a slip or two away."""
        words = self._index.words
        every = self._beginning_with(word)
        if every:
            return np.unique(self._phrases(every.start, every.stop))
        slips = 2 if len(word) >= _TWO_SLIPS else 1 if len(word) >= _ONE_SLIP else 0
        # Words of the same first letter: people seldom miss that one.
        near = [at for at in self._beginning_with(word[:1]) if slips and is_near(words[at], word, slips)]
        return np.unique(np.concatenate([self._phrases(0, 0), *(self._phrases(at, at + 1) for at in near)]))

    def _beginning_with(self, letters: str) -> range:
        words = self._index.words
        return range(bisect_left(words, letters), bisect_left(words, letters + "\uffff"))

    def _phrases(self, first: int, last: int) -> Ints:
        """Phrases with any of these words."""
        return self._index.phrases[self._index.starts[first] : self._index.starts[last]]


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
