"""Why a disease is on the list: the findings for it, what is expected but not recorded, and what speaks against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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


class Present(NamedTuple):
    """How often each of the best diseases shows each of the `terms` that any of them shows, or one below it.

    `frequency` has a row for each disease and a column for each of `terms`, after a column of zeros; `column` is the
    column of every term there is, 0 for those that none shows.
    """

    terms: Ints
    column: Ints
    frequency: Floats

    def of(self, terms: Ints) -> Floats:
        """The frequencies of these terms, shape (diseases, terms)."""
        return np.asarray(self.frequency[:, self.column[terms]])


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """Everything the reasons for the best candidates are looked up in.

    `shared` is what share of each term's information the findings have in common with it, `denied` what the excluded
    ones rule out, both shape (terms,); `present` is what `presence` says of the `best`, `matched` and `gains` what
    `best_matches` says. `named` gives the id and the name of a term, `cited` the papers of a reference, `inherited` the
    name of a way of inheritance, and they remember them: candidates share findings, and the findings of one papers.
    """

    knowledge: Knowledge
    index: Index
    learned: LearnedIndex
    query: Query
    best: Ints
    shared: Floats
    denied: NDArray[np.bool_]
    present: Present
    matched: Ints
    gains: Floats
    named: Callable[[int], tuple[str, str]]
    cited: Callable[[int], tuple[str, ...]]
    inherited: Callable[[str], str]

    def place(self, row: int) -> tuple[Index, int, Annotated]:
        """The index that holds a disease, its place there, and the annotations it was made from."""
        place = self.learned.places.get(row)
        if place is None:
            return self.index, row, self.knowledge.annotated
        return self.learned.index, place, self.learned.annotated


def presence(index: Index, learned: LearnedIndex, best: Ints) -> Present:
    """How often each of these diseases shows what."""
    profiles = []
    for row in best.tolist():
        place = learned.places.get(row)
        profiles.append(index.profile(row) if place is None else learned.index.profile(place))
    terms = np.concatenate([terms for terms, _ in profiles])
    frequencies = np.concatenate([frequencies for _, frequencies in profiles])
    numbers = np.repeat(np.arange(len(best)), [len(terms) for terms, _ in profiles])
    above, sizes = index.ontology.ancestors_of_all(terms)
    column = np.zeros(len(index.ontology), np.int64)
    column[above] = 1
    shown = np.flatnonzero(column)
    column[shown] = np.arange(1, len(shown) + 1)
    width = len(shown) + 1
    frequency = np.zeros(len(best) * width, np.float32)
    np.maximum.at(frequency, np.repeat(numbers, sizes) * width + column[above], np.repeat(frequencies, sizes))
    return Present(shown, column, frequency.reshape(len(best), width))


def denied_by(index: Index, query: Query) -> NDArray[np.bool_]:
    """Terms that the excluded findings rule out: they and all that is narrower, shape (terms,)."""
    denied = np.zeros(len(index.ontology), bool)
    for row in query.excluded.tolist():
        denied[index.ontology.descendants_of(row)] = True
    return denied


def best_matches(index: Index, query: Query, present: Present, number: int) -> tuple[Ints, Floats]:
    """For each of the first diseases and each finding the term that says most, and its ratio.

    Both have the shape (diseases, findings).
    """
    shape = (min(number, len(present.frequency)), len(query.observed))
    matched, gains = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
    for at, term in enumerate(query.observed.tolist()):
        ancestors = index.ontology.ancestors_of(term)
        frequency = np.maximum(present.of(ancestors)[:number], np.float32(1e-9))
        ratio = np.log(frequency / index.background.frequency[ancestors])
        ratio *= np.float32(index.method.step_discount) ** index.ontology.steps_to(term).astype(np.int64)
        matched[:, at] = ancestors[ratio.argmax(axis=1)]
        gains[:, at] = np.maximum(ratio.max(axis=1), 0)
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
        inheritance=tuple(filter(None, map(explained.inherited, knowledge.inheritance[row]))) if published else (),
        learned_from=learned.cases.get(row, 0),
    )


def _support(explained: Explained, number: int) -> tuple[Support, ...]:
    """The findings for the disease, the strongest first; shares are of the likelihood ratios."""
    _, place, annotated = explained.place(int(explained.best[number]))
    gains = explained.gains[number]
    order = np.lexsort((explained.query.observed, -gains))[: int((gains > 0).sum())]
    matched = explained.matched[number, order]
    part = annotated.of(place)
    terms, references = annotated.term[part], annotated.reference[part]
    rows = zip(
        explained.query.observed[order].tolist(),
        matched.tolist(),
        explained.present.frequency[number, explained.present.column[matched]].tolist(),
        gains[order].tolist(),
        np.searchsorted(terms, matched).tolist(),
        np.searchsorted(terms, matched, "right").tolist(),
        strict=True,
    )
    named, total = explained.named, max(float(gains.sum()), 1e-9)
    return tuple(
        Support(
            *named(term),
            *named(match),
            frequency=round(frequency, 3),
            share=round(gain / total, 3),
            papers=_papers(explained, references[first:last].tolist()),
        )
        for term, match, frequency, gain, first, last in rows
    )


def _papers(explained: Explained, references: list[int]) -> tuple[str, ...]:
    """The papers among the references, the first few."""
    papers = [paper for reference in references if reference >= 0 for paper in explained.cited(reference)]
    return tuple(sorted(set(papers)))[:_MOST_PAPERS] if len(papers) > 1 else tuple(papers)


def _expected(explained: Explained, number: int) -> tuple[Expected, ...]:
    """Frequent findings of the disease that share little with any finding, the most telling first."""
    index, place, _ = explained.place(int(explained.best[number]))
    terms, frequencies = index.profile(place)
    missing = (frequencies > _EXPECTED_FREQUENCY) & (explained.shared[terms] < _COVERED)
    missing &= explained.knowledge.ontology.is_finding[terms] & ~explained.denied[terms]
    terms, frequencies = terms[missing], frequencies[missing]
    order = np.lexsort((terms, -frequencies * index.background.information[terms]))[:_MOST_EXPECTED]
    return tuple(
        Expected(*explained.named(term), round(frequency, 3))
        for term, frequency in zip(terms[order].tolist(), frequencies[order].tolist(), strict=True)
    )


def _excluded(explained: Explained, number: int) -> tuple[Against, ...]:
    """Findings looked for and excluded that patients with the disease often have."""
    excluded = explained.query.excluded
    frequencies = explained.present.frequency[number, explained.present.column[excluded]]
    often = frequencies >= _AGAINST_FREQUENCY
    found = zip(frequencies[often].tolist(), excluded[often].tolist(), strict=True)
    return tuple(
        Against("excluded", *explained.named(term), round(frequency, 3))
        for frequency, term in sorted(found, key=lambda one: (-one[0], one[1]))
    )


def _contradictions(explained: Explained, row: int) -> tuple[Against, ...]:
    """Whether age or sex speak against a published disease."""
    knowledge, query = explained.knowledge, explained.query
    found = []
    if is_too_young(knowledge, query, row):
        found.append(Against("onset", name=f"{knowledge.onset[row]:g}"))
    if is_unlikely_sex(knowledge, query, row):
        found.append(Against("sex"))
    return tuple(found)
