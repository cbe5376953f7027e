"""What every disease scores for one finding: profiles spread over the ontology, against their common background."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from cds_service.domain.ontology import Floats, Ints, Ontology
from cds_service.inference.ranker_knowledge import Annotated

# Terms of which an index remembers two floats a disease: 192 of the full one are 16 MB. Chosen by us.
REMEMBERED = 192
_FREQUENCY_STEPS = 1 << 16


@dataclass(frozen=True, slots=True)
class Method:
    """The numbers of the ranking, as published with the knowledge base (docs/reference/rare.md says what each does)."""

    step_discount: float
    similarity_weight: float
    coverage_weight: float
    excluded_weight: float
    contradiction: float
    vital_weight: float

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Method:
        """The numbers in `method.json`."""
        return cls(**{name: float(document[name]) for name in cls.__slots__})


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """How common each term is over all diseases: mean frequency, and information content in nats."""

    frequency: Floats
    information: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """One row for each disease and term: the shrunk frequency (k + 1) / (m + 2), which is 0.5 where nothing is said."""

    n_diseases: int
    disease: Ints
    term: Ints
    frequency: Floats


def profiles_from(annotated: Annotated, n_diseases: int, n_terms: int) -> Profiles:
    """Counts of all references added up; a term never seen in those looked at is no finding of the disease."""
    keys, inverse = np.unique(annotated.disease * n_terms + annotated.term, return_inverse=True)
    k = np.bincount(inverse, annotated.k, len(keys))
    m = np.bincount(inverse, annotated.m, len(keys))
    silent = np.bincount(inverse, annotated.m == 0, len(keys)) > 0
    kept = (k > 0) | silent
    frequency = ((k + 1) / (m + 2)).astype(np.float32)
    return Profiles(n_diseases, keys[kept] // n_terms, keys[kept] % n_terms, frequency[kept])


class Index:
    """The profiles of some diseases spread to all ancestors of their terms, ready to be asked for one term at a time.

    Built once from profiles; the background is its own unless that of a larger index is given.
    """

    def __init__(
        self, ontology: Ontology, profiles: Profiles, method: Method, background: Background | None = None
    ) -> None:
        self.ontology = ontology
        self.profiles = profiles
        self.method = method
        self.starts, self.disease, self.frequency = _spread(ontology, profiles)
        self.background = background or self._background()
        term = np.repeat(np.arange(len(ontology)), np.diff(self.starts))
        self.log_ratio = np.log(self.frequency / self.background.frequency[term]).astype(np.float32)
        self._begins = np.searchsorted(profiles.disease, np.arange(profiles.n_diseases + 1))
        self._profile_weight = self._sums(profiles.frequency)
        self._remembered: OrderedDict[int, tuple[Floats, Floats]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """How many diseases are in it."""
        return self.profiles.n_diseases

    def evidence(self, row: int) -> Floats:
        """What a finding says for each disease, shape (diseases,): likelihood ratio plus weighted similarity.

        Each is the best over the term and its ancestors. The ratio of an ancestor is discounted for each step up; the
        similarity is Resnik's, the information content of the most specific ancestor that the disease shares.
        """
        ratio, similarity = self._parts_of(row)
        return ratio + np.float32(self.method.similarity_weight) * similarity

    def _parts_of(self, row: int) -> tuple[Floats, Floats]:
        """Ratio and similarity of a term, made of its own and its parents', and remembered for the next who asks."""
        with self._lock:
            known = self._remembered.get(row)
            if known is not None:
                self._remembered.move_to_end(row)
                return known
        ratio, similarity = np.zeros(len(self), np.float32), np.zeros(len(self), np.float32)
        for parent in self.ontology.parents[row]:
            above = self._parts_of(parent)
            np.maximum(ratio, np.float32(self.method.step_discount) * above[0], out=ratio)
            np.maximum(similarity, above[1], out=similarity)
        part = slice(self.starts[row], self.starts[row + 1])
        diseases = self.disease[part]
        ratio[diseases] = np.maximum(ratio[diseases], self.log_ratio[part])
        similarity[diseases] = np.maximum(similarity[diseases], self.background.information[row])
        with self._lock:
            self._remembered[row] = (ratio, similarity)
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        return ratio, similarity

    def refutation(self, row: int) -> Floats:
        """What a finding's absence takes from each disease: log(1 - frequency), never positive, shape (diseases,)."""
        loss = np.zeros(len(self), np.float32)
        part = slice(self.starts[row], self.starts[row + 1])
        loss[self.disease[part]] = np.log1p(-self.frequency[part])
        return loss

    def shared_with(self, rows: Ints) -> Floats:
        """For each term the share of its information that it has in common with the findings, shape (terms,)."""
        information = self.background.information
        seen = np.zeros(len(self.ontology), np.float32)
        for row in rows.tolist():
            ancestors = self.ontology.ancestors_of(row)
            seen[ancestors] = information[ancestors]
        return np.divide(self.ontology.inherited_maximum(seen), np.maximum(information, 1e-6), dtype=np.float32)

    def coverage(self, shared: Floats) -> Floats:
        """The share of each disease's picture, weighted by frequency, that the findings cover, shape (diseases,)."""
        covered = self._sums(self.profiles.frequency * shared[self.profiles.term])
        return np.divide(covered, np.maximum(self._profile_weight, 1e-6), dtype=np.float32)

    def profile(self, place: int) -> tuple[Ints, Floats]:
        """Terms of one disease and their frequencies."""
        part = slice(self._begins[place], self._begins[place + 1])
        return self.profiles.term[part], self.profiles.frequency[part]

    def _sums(self, values: Floats) -> Floats:
        """The sum of each disease's values, 0 for one without findings, shape (diseases,)."""
        sums = np.zeros(len(self), np.float32)
        begins = self._begins[:-1]
        filled = begins < self._begins[1:]
        if filled.any():
            sums[filled] = np.add.reduceat(values, begins[filled])
        return sums

    def _background(self) -> Background:
        n_terms = len(self.ontology)
        counts = np.diff(self.starts)
        term = np.repeat(np.arange(n_terms), counts)
        mean = np.bincount(term, self.frequency, n_terms) / len(self)
        information = -np.log(np.maximum(counts, 1) / len(self))
        return Background(np.maximum(mean, 1e-9).astype(np.float32), information.astype(np.float32))


def _spread(ontology: Ontology, profiles: Profiles) -> tuple[Ints, Ints, Floats]:
    """Starts by term, diseases and frequencies: an ancestor is as frequent as the most frequent finding below it."""
    ancestor, sizes = ontology.ancestors_of_all(profiles.term)
    # One sortable number: term, then disease, then frequency to 16 bits; the last of each disease is its largest.
    level = np.round(profiles.frequency * (_FREQUENCY_STEPS - 1)).astype(np.int64)
    key = ancestor * profiles.n_diseases + np.repeat(profiles.disease, sizes)
    packed = np.sort(key * _FREQUENCY_STEPS + np.repeat(level, sizes))
    key = packed // _FREQUENCY_STEPS
    last = np.append(key[1:] != key[:-1], len(key) > 0)[: len(key)]
    key, level = key[last], packed[last] % _FREQUENCY_STEPS
    starts = np.searchsorted(key, np.arange(len(ontology) + 1) * profiles.n_diseases)
    return (
        starts,
        (key % max(profiles.n_diseases, 1)).astype(np.int32),
        (level / (_FREQUENCY_STEPS - 1)).astype(np.float32),
    )
