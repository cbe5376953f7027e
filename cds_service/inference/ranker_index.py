"""What every disease scores for one finding: how often it shows each term, against their common background."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from cds_service.domain.ontology import Floats, Ints, Ontology
from cds_service.inference.ranker_profiles import Background, Profiles, background_of, cuts, spread

# Terms that this share of the diseases show are worked out once for all that lie below them: 72 of the published
# ones, 6 MB. Of the others an index remembers the evidence of those asked for last, 41 kB each. Chosen by us.
_BROAD_SHARE, REMEMBERED = 0.2, 256
# Diseases whose pictures are compared together: what is in between stays in the processor's cache.
_AT_A_TIME = 2500


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
        self.spread = spread(ontology, profiles)
        self.background = background or background_of(self.spread, len(profiles))
        self._profile_weight = self._weight(np.ones(len(ontology), np.float32))
        self._discounts = np.power(method.step_discount, np.arange(int(ontology.steps.max()) + 1)).astype(np.float32)
        self._broad = self._broad_parts()
        self._remembered: OrderedDict[int, Floats] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """How many diseases are in it."""
        return len(self.profiles)

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
        nearest = {parent for above in narrow for parent in ontology.parents_of(above)} if narrow else {row}
        ratio, similarity = np.zeros(len(self), np.float32), np.zeros(len(self), np.float32)
        for above in nearest & self._broad.keys():
            broad_ratio, broad_similarity = self._broad[above]
            np.maximum(ratio, self._discounts[steps[above]] * broad_ratio, out=ratio)
            np.maximum(similarity, broad_similarity, out=similarity)
        if narrow:
            diseases, frequencies, sizes = self.spread.of_all(narrow)
            said = np.log(frequencies / np.repeat(self.background.frequency[narrow], sizes))
            said *= np.repeat(self._discounts[[steps[above] for above in narrow]], sizes)
            np.maximum.at(ratio, diseases, said)
            similarity[diseases] = np.repeat(information[narrow], sizes)
        return ratio, similarity

    def _broad_parts(self) -> dict[int, tuple[Floats, Floats]]:
        """Ratio and similarity of each broad term; what lies above one is broad as well."""
        information = self.background.information
        parts: dict[int, tuple[Floats, Floats]] = {}
        for row in np.flatnonzero(information < -np.log(_BROAD_SHARE)).tolist():
            ratio, similarity = np.zeros(len(self), np.float32), np.zeros(len(self), np.float32)
            for parent in self.ontology.parents_of(row):
                np.maximum(ratio, self._discounts[1] * parts[parent][0], out=ratio)
                np.maximum(similarity, parts[parent][1], out=similarity)
            diseases, frequencies = self.spread.of(row)
            said = np.log(frequencies / self.background.frequency[row])
            ratio[diseases] = np.maximum(ratio[diseases], said)
            similarity[diseases] = np.maximum(similarity[diseases], information[row])
            parts[row] = ratio, similarity
        return parts

    def refutation(self, row: int) -> tuple[Ints, Floats]:
        """The diseases a finding's absence speaks against, and what it takes from each: log(1 - frequency), below 0."""
        diseases, frequencies = self.spread.of(row)
        return diseases, np.log1p(-frequencies)

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
        return np.divide(self._weight(shared), np.maximum(self._profile_weight, 1e-6), dtype=np.float32)

    def profile(self, place: int) -> tuple[Ints, Floats]:
        """Terms of one disease and their frequencies."""
        part = slice(self.profiles.begins[place], self.profiles.begins[place + 1])
        return self.profiles.term[part], self.profiles.frequency[part]

    def _weight(self, shared: Floats) -> Floats:
        """The sum of each disease's frequencies by the shares of their terms, 0 for one without, shape (diseases,)."""
        profiles = self.profiles
        sums = np.zeros(len(self), np.float32)
        for first, last in cuts(len(self), _AT_A_TIME):
            begins = profiles.begins[first : last + 1]
            rows = slice(begins[0], begins[-1])
            values = profiles.frequency[rows] * shared[profiles.term[rows]]
            filled = begins[:-1] < begins[1:]
            if filled.any():
                sums[first:last][filled] = np.add.reduceat(values, begins[:-1][filled] - begins[0])
        return sums
