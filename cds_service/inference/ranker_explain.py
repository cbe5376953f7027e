"""Why a disease is on the list: the findings for it, what is expected but not recorded, and what speaks against it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cds_service.domain.ontology import Floats, Ints
from cds_service.domain.phenotype import Against, Candidate, Expected, Support
from cds_service.inference.ranker_index import Index
from cds_service.inference.ranker_knowledge import Annotated, Knowledge
from cds_service.inference.ranker_learned import LearnedIndex
from cds_service.inference.ranker_query import Query, is_too_young, is_unlikely_sex

# What a reader takes in at a glance; chosen by us.
_MOST_EXPECTED, _MOST_PAPERS = 5, 3
# Expected is what at least half of the patients have; covered what shares most of its information with a finding.
_EXPECTED_FREQUENCY, _COVERED = 0.5, 0.5
# An exclusion is worth saying when one patient in ten with the disease has the finding.
_AGAINST_FREQUENCY = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """Everything the reasons for the best candidates are looked up in.

    `shared` is what share of each term's information the findings have in common with it, shape (terms,); `present`
    what `presence` says of the `best`.
    """

    knowledge: Knowledge
    index: Index
    learned: LearnedIndex
    query: Query
    best: Ints
    shared: Floats
    present: Floats

    def place(self, row: int) -> tuple[Index, int, Annotated]:
        """The index that holds a disease, its place there, and the annotations it was made from."""
        place = self.learned.places.get(row)
        if place is None:
            return self.index, row, self.knowledge.annotated
        return self.learned.index, place, self.learned.annotated


def presence(index: Index, learned: LearnedIndex, best: Ints) -> Floats:
    """How often each of these diseases shows each term or one below it, shape (best, terms)."""
    present = np.zeros((len(best), len(index.ontology)), np.float32)
    for number, row in enumerate(best.tolist()):
        place = learned.places.get(row)
        terms, frequencies = index.profile(row) if place is None else learned.index.profile(place)
        above, sizes = index.ontology.ancestors_of_all(terms)
        np.maximum.at(present[number], above, np.repeat(frequencies, sizes))
    return present


def explain(explained: Explained, number: int, *, score: float, band: str) -> Candidate:
    """The candidate at this place among the best, with its reasons."""
    row = int(explained.best[number])
    knowledge, learned = explained.knowledge, explained.learned
    published = row < len(knowledge.diseases)
    own = row - len(knowledge.diseases)
    return Candidate(
        id=knowledge.diseases[row] if published else learned.ids[own],
        name=knowledge.names[row] if published else learned.names[own],
        also=knowledge.also[row] if published else (),
        band=band,
        score=round(score, 4),
        support=_support(explained, number),
        expected=_expected(explained, number),
        against=(*_excluded(explained, number), *(_contradictions(explained, row) if published else ())),
        inheritance=_names(knowledge, knowledge.inheritance[row]) if published else (),
        learned_from=learned.cases.get(row, 0),
    )


def _support(explained: Explained, number: int) -> tuple[Support, ...]:
    """The findings for the disease, the strongest first; shares are of the likelihood ratios."""
    _, place, annotated = explained.place(int(explained.best[number]))
    found = []
    for term, weight in zip(explained.query.observed.tolist(), explained.query.weights.tolist(), strict=True):
        matched, gain = _best_match(explained, number, term)
        if gain > 0:
            found.append((weight * gain, term, matched))
    total = sum(gain for gain, *_ in found)
    ontology = explained.knowledge.ontology
    return tuple(
        Support(
            term=ontology.ids[term],
            name=ontology.names[term],
            matched=ontology.ids[matched],
            matched_name=ontology.names[matched],
            frequency=round(float(explained.present[number, matched]), 3),
            share=round(gain / total, 3),
            papers=_papers(explained.knowledge, annotated, place, matched),
        )
        for gain, term, matched in sorted(found, key=lambda one: (-one[0], one[1]))
    )


def _best_match(explained: Explained, number: int, term: int) -> tuple[int, float]:
    """The term or ancestor that says most for the disease, and its discounted log ratio."""
    index = explained.index
    ancestors = index.ontology.ancestors_of(term)
    frequency = np.maximum(explained.present[number, ancestors], np.float32(1e-9))
    gains = np.log(frequency / index.background.frequency[ancestors])
    gains = gains * np.float32(index.method.step_discount) ** index.ontology.steps_to(term)
    best = int(gains.argmax())
    return int(ancestors[best]), float(gains[best])


def _papers(knowledge: Knowledge, annotated: Annotated, place: int, term: int) -> tuple[str, ...]:
    """Papers that report the term in the disease, the first few."""
    start, stop = np.searchsorted(annotated.disease, [place, place + 1])
    here = annotated.reference[start:stop][annotated.term[start:stop] == term]
    names = (knowledge.references[reference] for reference in here.tolist() if reference >= 0)
    papers = [paper for name in names for paper in name.split(";") if paper.startswith("PMID:")]
    return tuple(sorted(set(papers)))[:_MOST_PAPERS]


def _expected(explained: Explained, number: int) -> tuple[Expected, ...]:
    """Frequent findings of the disease that share little with any finding, the most telling first."""
    index, place, _ = explained.place(int(explained.best[number]))
    terms, frequencies = index.profile(place)
    missing = (frequencies >= _EXPECTED_FREQUENCY) & (explained.shared[terms] < _COVERED)
    missing &= explained.knowledge.ontology.is_finding[terms]
    terms, frequencies = terms[missing], frequencies[missing]
    order = np.lexsort((terms, -frequencies * index.background.information[terms]))
    ontology, excluded = explained.knowledge.ontology, set(explained.query.excluded.tolist())
    open_ones = [at for at in order.tolist() if excluded.isdisjoint(ontology.ancestors_of(terms[at]).tolist())]
    return tuple(
        Expected(ontology.ids[terms[at]], ontology.names[terms[at]], round(float(frequencies[at]), 3))
        for at in open_ones[:_MOST_EXPECTED]
    )


def _excluded(explained: Explained, number: int) -> tuple[Against, ...]:
    """Findings looked for and excluded that patients with the disease often have."""
    ontology = explained.knowledge.ontology
    found = [(float(explained.present[number, term]), term) for term in explained.query.excluded.tolist()]
    return tuple(
        Against("excluded", ontology.ids[term], ontology.names[term], round(frequency, 3))
        for frequency, term in sorted(found, key=lambda one: (-one[0], one[1]))
        if frequency >= _AGAINST_FREQUENCY
    )


def _contradictions(explained: Explained, row: int) -> tuple[Against, ...]:
    """Whether age or sex speak against a published disease."""
    knowledge, query = explained.knowledge, explained.query
    found = []
    if is_too_young(knowledge, query)[row]:
        found.append(Against("onset", name=f"{knowledge.onset[row]:g}"))
    if is_unlikely_sex(knowledge, query)[row]:
        found.append(Against("sex"))
    return tuple(found)


def _names(knowledge: Knowledge, terms: tuple[str, ...]) -> tuple[str, ...]:
    rows = knowledge.ontology.rows
    return tuple(knowledge.ontology.names[rows[term]] for term in terms if term in rows)
