"""How often each disease shows each term: counted from its annotations, and spread to all that lies above them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.ontology import Floats, Ints, Ontology
from cds_service.inference.ranker_knowledge import Annotated

_FREQUENCY_STEPS = 1 << 16
# Diseases, and rows, worked at together: a worker keeps for good most of the memory that loading takes at its highest.
_AT_A_TIME, _ROWS_AT_A_TIME = 100, 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """How common each term is over all diseases: mean frequency, and information content in nats."""

    frequency: Floats
    information: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """The terms of each disease with their shrunk frequency (k + 1) / (m + 2), which is 0.5 where nothing is said.

    Those of disease `d` lie in `begins[d] : begins[d + 1]`. Every ranking looks up all terms, so they are int64, which
    numpy indexes with as is.
    """

    begins: Ints
    term: Ints
    frequency: Floats

    def __len__(self) -> int:
        """How many diseases there are."""
        return len(self.begins) - 1


def profiles_from(annotated: Annotated, n_diseases: int) -> Profiles:
    """Counts of all references added up; a term never seen in those looked at is no finding of the disease."""
    parts = [_profiles_part(annotated.where(annotated.of(*cut)), *cut) for cut in cuts(n_diseases, _AT_A_TIME)]
    sizes, terms, frequencies = zip(*parts, strict=True) if parts else ((), (), ())
    return Profiles(
        np.cumsum(np.concatenate([[0], *sizes])),
        np.concatenate([np.zeros(0, np.int64), *terms]),
        np.concatenate([np.zeros(0, np.float32), *frequencies]),
    )


def _profiles_part(annotated: Annotated, first: int, last: int) -> tuple[Ints, Ints, Floats]:
    """How many terms each of some diseases has, the terms and their frequencies."""
    disease, term = annotated.disease, annotated.term
    is_first = np.append(True, (disease[1:] != disease[:-1]) | (term[1:] != term[:-1]))[: len(term)]
    number = np.cumsum(is_first) - 1
    n_pairs = int(is_first.sum())
    k = np.bincount(number, annotated.k, n_pairs)
    m = np.bincount(number, annotated.m, n_pairs)
    silent = np.bincount(number, annotated.m == 0, n_pairs) > 0
    kept = (k > 0) | silent
    sizes = np.bincount(disease[is_first][kept].astype(np.int64) - first, minlength=last - first)
    return sizes, term[is_first][kept], ((k + 1) / (m + 2)).astype(np.float32)[kept]


def cuts(number: int, at_a_time: int) -> Iterator[tuple[int, int]]:
    """First and last, exclusive, of each part of so many."""
    return pairwise([*range(0, number, at_a_time), number])


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """The diseases that show each term or one below it, with their frequencies in 16 bits.

    Those of term `t` lie in `starts[t] : starts[t + 1]`, by disease.
    """

    starts: Ints
    disease: Ints
    level: NDArray[np.uint16]

    def of(self, row: int) -> tuple[Ints, Floats]:
        """The diseases that show a term, and how often each does."""
        diseases, frequencies, _ = self.of_all([row])
        return diseases, frequencies

    def of_all(self, rows: Sequence[int]) -> tuple[Ints, Floats, list[int]]:
        """The same of several terms one after the other, and how many diseases show each."""
        parts = [slice(self.starts[row], self.starts[row + 1]) for row in rows]
        diseases = np.concatenate([self.disease[part] for part in parts]).astype(np.int64)
        levels = np.concatenate([self.level[part] for part in parts])
        return diseases, _frequencies(levels), [part.stop - part.start for part in parts]


def _frequencies(levels: NDArray[np.uint16]) -> Floats:
    return levels.astype(np.float32) / np.float32(_FREQUENCY_STEPS - 1)


def spread(ontology: Ontology, profiles: Profiles) -> Spread:
    """Profiles on all ancestors of their terms, each as frequent as the most frequent finding below it.

    Counted first and filled in then, a part of the diseases at a time.
    """
    sizes = np.zeros(len(ontology), np.int64)
    for term, _, _ in _spread_parts(ontology, profiles):
        sizes += np.bincount(term, minlength=len(sizes))
    starts = np.concatenate([[0], np.cumsum(sizes)])
    diseases = np.zeros(starts[-1], np.min_scalar_type(len(profiles)))
    levels = np.zeros(starts[-1], np.uint16)
    filled = starts[:-1].copy()
    for term, disease, level in _spread_parts(ontology, profiles):
        counts = np.bincount(term, minlength=len(sizes))
        at = np.arange(len(term)) + (filled - np.cumsum(counts) + counts)[term]
        diseases[at], levels[at] = disease, level
        filled += counts
    return Spread(starts, diseases, levels)


def _spread_parts(ontology: Ontology, profiles: Profiles) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Terms, diseases and levels, by term and disease, of some diseases after the other."""
    for first, last in cuts(len(profiles), _AT_A_TIME):
        begins = profiles.begins[first : last + 1]
        rows = slice(begins[0], begins[-1])
        ancestor, sizes = ontology.ancestors_of_all(profiles.term[rows])
        level = np.round(profiles.frequency[rows] * (_FREQUENCY_STEPS - 1)).astype(np.int64)
        disease = np.repeat(np.arange(last - first), np.diff(begins))
        key = ancestor * (last - first) + np.repeat(disease, sizes)
        # One sortable number: term, then disease, then frequency to 16 bits; the last of each disease is its largest.
        packed = np.sort(key * _FREQUENCY_STEPS + np.repeat(level, sizes))
        key = packed // _FREQUENCY_STEPS
        largest = np.append(key[1:] != key[:-1], len(key) > 0)[: len(key)]
        key = key[largest]
        yield key // (last - first), key % (last - first) + first, packed[largest] % _FREQUENCY_STEPS


def background_of(found: Spread, n_diseases: int) -> Background:
    """The background of all diseases together."""
    counts = np.diff(found.starts)
    mean = np.zeros(len(counts))
    ends = np.searchsorted(found.starts, np.arange(0, found.starts[-1], _ROWS_AT_A_TIME))
    for first, last in pairwise([*np.unique(ends).tolist(), len(counts)]):
        number = np.repeat(np.arange(last - first), counts[first:last])
        part = _frequencies(found.level[found.starts[first] : found.starts[last]])
        mean[first:last] = np.bincount(number, part, last - first) / n_diseases
    information = -np.log(np.maximum(counts, 1) / n_diseases)
    return Background(np.maximum(mean, 1e-9).astype(np.float32), information.astype(np.float32))
