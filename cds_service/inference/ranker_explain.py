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
# Expected is what most patients are reported to have (0.5 is also what nobody counted); covered is what shares most
# of its information with a finding.
_EXPECTED_FREQUENCY, _COVERED = 0.5, 0.5
# An exclusion is worth saying when one patient in ten with the disease has the finding.
_AGAINST_FREQUENCY = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """Everything the reasons for the best candidates are looked up in.

    `shared` is what share of each term's information the findings have in common with it, shape (terms,); `present`
    is what `presence` says of the `best`, `matched` and `gains` what `best_matches` says.
    """

    knowledge: Knowledge
    index: Index
    learned: LearnedIndex
    query: Query
    best: Ints
    shared: Floats
    present: Floats
    matched: Ints
    gains: Floats

    def place(self, row: int) -> tuple[Index, int, Annotated]:
        """The index that holds a disease, its place there, and the annotations it was made from."""
        place = self.learned.places.get(row)
        if place is None:
            return self.index, row, self.knowledge.annotated
        return self.learned.index, place, self.learned.annotated


def presence(index: Index, learned: LearnedIndex, best: Ints) -> Floats:
    """How often each of these diseases shows each term or one below it, shape (best, terms)."""
    profiles = []
    for row in best.tolist():
        place = learned.places.get(row)
        profiles.append(index.profile(row) if place is None else learned.index.profile(place))
    terms = np.concatenate([terms for terms, _ in profiles])
    frequencies = np.concatenate([frequencies for _, frequencies in profiles])
    numbers = np.repeat(np.arange(len(best)), [len(terms) for terms, _ in profiles])
    above, sizes = index.ontology.ancestors_of_all(terms)
    present = np.zeros(len(best) * len(index.ontology), np.float32)
    np.maximum.at(present, np.repeat(numbers, sizes) * len(index.ontology) + above, np.repeat(frequencies, sizes))
    return present.reshape(len(best), -1)


def best_matches(index: Index, query: Query, present: Floats) -> tuple[Ints, Floats]:
    """For each of these diseases and each finding the term that says most, and its ratio, both (diseases, findings)."""
    shape = (len(present), len(query.observed))
    matched, gains = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
    for at, term in enumerate(query.observed.tolist()):
        ancestors = index.ontology.ancestors_of(term)
        frequency = np.maximum(present[:, ancestors], np.float32(1e-9))
        ratio = np.log(frequency / index.background.frequency[ancestors])
        ratio *= np.float32(index.method.step_discount) ** index.ontology.steps_to(term)
        best = ratio.argmax(axis=1)
        matched[:, at] = ancestors[best]
        gains[:, at] = np.maximum(ratio[np.arange(len(present)), best], 0)
    return matched, gains * query.weights


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
    gains, matched = explained.gains[number], explained.matched[number]
    start, stop = np.searchsorted(annotated.disease, [place, place + 1])
    terms, references = annotated.term[start:stop], annotated.reference[start:stop]
    ontology, total = explained.knowledge.ontology, max(float(gains.sum()), 1e-9)
    found = []
    for at in np.lexsort((explained.query.observed, -gains))[: int((gains > 0).sum())].tolist():
        term, match = int(explained.query.observed[at]), int(matched[at])
        first, last = np.searchsorted(terms, [match, match + 1])
        support = Support(
            term=ontology.ids[term],
            name=ontology.names[term],
            matched=ontology.ids[match],
            matched_name=ontology.names[match],
            frequency=round(float(explained.present[number, match]), 3),
            share=round(float(gains[at]) / total, 3),
            papers=_papers(explained.knowledge, references[first:last].tolist()),
        )
        found.append(support)
    return tuple(found)


def _papers(knowledge: Knowledge, references: list[int]) -> tuple[str, ...]:
    """The papers among the references, the first few."""
    names = (knowledge.references[reference] for reference in references if reference >= 0)
    papers = {paper for name in names if "PMID:" in name for paper in name.split(";")}
    return tuple(sorted(papers))[:_MOST_PAPERS]


def _expected(explained: Explained, number: int) -> tuple[Expected, ...]:
    """Frequent findings of the disease that share little with any finding, the most telling first."""
    index, place, _ = explained.place(int(explained.best[number]))
    terms, frequencies = index.profile(place)
    missing = (frequencies > _EXPECTED_FREQUENCY) & (explained.shared[terms] < _COVERED)
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
