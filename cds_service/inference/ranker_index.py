"""What every disease scores for one finding: profiles spread over the ontology, against their common background."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock
from typing import Any

import numpy as np

from cds_service.domain.ontology import Floats, Ints, Ontology
from cds_service.inference.ranker_knowledge import Annotated

# Terms that this share of the diseases show are worked out once for all that lie below them: 78 of the published
# ones, 6 MB. Of the others an index remembers the evidence of those asked for last, 41 kB each. Chosen by us.
_BROAD_SHARE, REMEMBERED = 0.2, 256
_FREQUENCY_STEPS = 1 << 16
_AT_A_TIME = 500


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
        self._discounts = np.power(method.step_discount, np.arange(ontology.steps.max() + 1)).astype(np.float32)
        self._broad = self._broad_parts()
        self._remembered: OrderedDict[int, Floats] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """How many diseases are in it."""
        return self.profiles.n_diseases

    def evidence(self, row: int) -> Floats:
        """What a finding says for each disease, shape (diseases,): likelihood ratio plus weighted similarity.

        Each is the best over the term and its ancestors. The ratio of an ancestor is discounted for each step up; the
        similarity is Resnik's, the information content of the most specific ancestor that the disease shares.
        """
        with self._lock:
            known = self._remembered.get(row)
            if known is not None:
                self._remembered.move_to_end(row)
                return known
        found, similarity = self.parts_of(row)
        similarity *= np.float32(self.method.similarity_weight)
        found += similarity
        with self._lock:
            self._remembered[row] = found
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)
        return found

    def parts_of(self, row: int) -> tuple[Floats, Floats]:
        """Ratio and similarity of a term for each disease, both of shape (diseases,).

        Broad ancestors bring all diseases below them at once; each narrower one, the broader first, a few more.
        """
        ontology, information = self.ontology, self.background.information
        steps = dict(zip(ontology.ancestors_of(row).tolist(), ontology.steps_to(row).tolist(), strict=True))
        narrow = sorted((above for above in steps if above not in self._broad), key=information.__getitem__)
        nearest = {parent for above in narrow for parent in ontology.parents[above]} if narrow else {row}
        ratio, similarity = np.zeros(len(self), np.float32), np.zeros(len(self), np.float32)
        for above in nearest & self._broad.keys():
            broad_ratio, broad_similarity = self._broad[above]
            np.maximum(ratio, self._discounts[steps[above]] * broad_ratio, out=ratio)
            np.maximum(similarity, broad_similarity, out=similarity)
        for above in narrow:
            part = slice(self.starts[above], self.starts[above + 1])
            diseases = self.disease[part].astype(np.intp)
            ratio[diseases] = np.maximum(ratio[diseases], self._discounts[steps[above]] * self.log_ratio[part])
            similarity[diseases] = information[above]
        return ratio, similarity

    def _broad_parts(self) -> dict[int, tuple[Floats, Floats]]:
        """Ratio and similarity of each broad term; what lies above one is broad as well."""
        discount, information = self._discounts[1], self.background.information
        parts: dict[int, tuple[Floats, Floats]] = {}
        for row in np.flatnonzero(information < -np.log(_BROAD_SHARE)).tolist():
            ratio, similarity = np.zeros(len(self), np.float32), np.zeros(len(self), np.float32)
            for parent in self.ontology.parents[row]:
                np.maximum(ratio, discount * parts[parent][0], out=ratio)
                np.maximum(similarity, parts[parent][1], out=similarity)
            part = slice(self.starts[row], self.starts[row + 1])
            diseases = self.disease[part]
            ratio[diseases] = np.maximum(ratio[diseases], self.log_ratio[part])
            similarity[diseases] = np.maximum(similarity[diseases], information[row])
            parts[row] = ratio, similarity
        return parts

    def refutation(self, row: int) -> tuple[Ints, Floats]:
        """The diseases a finding's absence speaks against, and what it takes from each: log(1 - frequency), below 0."""
        part = slice(self.starts[row], self.starts[row + 1])
        return self.disease[part], np.log1p(-self.frequency[part])

    def shared_with(self, rows: Ints) -> Floats:
        """For each term the share of its information that it has in common with the findings, shape (terms,)."""
        information = self.background.information
        seen = np.unique(self.ontology.ancestors_of_all(rows)[0])
        common = np.zeros(len(self.ontology), np.float32)
        for row in seen[np.argsort(information[seen])].tolist():
            common[self.ontology.descendants_of(row)] = information[row]
        return np.divide(common, np.maximum(information, 1e-6), dtype=np.float32)

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
    # One sortable number: term, then disease, then frequency to 16 bits; the last of each disease is its largest.
    # A part of the diseases at a time, so that loading does not need many times the memory of what is loaded.
    cuts = np.searchsorted(profiles.disease, np.arange(0, profiles.n_diseases + _AT_A_TIME, _AT_A_TIME))
    parts = [_spread_part(ontology, profiles, slice(*cut)) for cut in pairwise(cuts.tolist())]
    packed = np.sort(np.concatenate([np.zeros(0, np.int64), *parts]))
    key, level = packed // _FREQUENCY_STEPS, packed % _FREQUENCY_STEPS
    return (
        np.searchsorted(key, np.arange(len(ontology) + 1) * profiles.n_diseases),
        (key % max(profiles.n_diseases, 1)).astype(np.int32),
        (level / (_FREQUENCY_STEPS - 1)).astype(np.float32),
    )


def _spread_part(ontology: Ontology, profiles: Profiles, rows: slice) -> Ints:
    """The sortable numbers of some of the profiles' rows, which hold whole diseases; one for each disease and term."""
    ancestor, sizes = ontology.ancestors_of_all(profiles.term[rows])
    level = np.round(profiles.frequency[rows] * (_FREQUENCY_STEPS - 1)).astype(np.int64)
    key = ancestor * profiles.n_diseases + np.repeat(profiles.disease[rows], sizes)
    packed = np.sort(key * _FREQUENCY_STEPS + np.repeat(level, sizes))
    key = packed // _FREQUENCY_STEPS
    return np.asarray(packed[np.append(key[1:] != key[:-1], len(key) > 0)[: len(key)]])
