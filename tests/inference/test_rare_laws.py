"""Laws of the rare-disease ranking, on findings drawn at random: earlier questions, order, repeats change nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.domain.case_counts import Learned
from cds_service.inference.ranker import Ranker
from cds_service.inference.ranker_bench import phenotype_of, read_cases
from cds_service.inference.ranker_index import REMEMBERED
from cds_service.inference.ranker_knowledge import load_knowledge
from tests.inference.test_rare_ranker import GOLDEN, ROOT, a_phenotype, scores_of

RANKER = Ranker(load_knowledge(Path(ROOT / "models")))
ONTOLOGY = RANKER.knowledge.ontology
FINDINGS = [ONTOLOGY.ids[row] for row in np.flatnonzero(ONTOLOGY.is_finding).tolist()]
# Findings that some disease shows: others say nothing, and would make most draws empty.
SHOWN = [ONTOLOGY.ids[row] for row in np.unique(RANKER.knowledge.annotated.term).tolist() if ONTOLOGY.is_finding[row]]

lists = st.lists(st.sampled_from(SHOWN), min_size=1, max_size=8, unique=True)
drawn = settings(max_examples=40, suppress_health_check=list(HealthCheck))


def plain_evidence(row: int) -> np.ndarray:
    """The documented evidence of one finding, an ancestor after the other."""
    index = RANKER.index
    ratio, similarity = np.zeros(len(index)), np.zeros(len(index))
    for above, steps in zip(ONTOLOGY.ancestors_of(row).tolist(), ONTOLOGY.steps_to(row).tolist(), strict=True):
        holders, frequencies = index.spread.of(above)
        said = np.log(frequencies / index.background.frequency[above]) * index.method.step_discount**steps
        np.maximum.at(ratio, holders, said)
        np.maximum.at(similarity, holders, index.background.information[above])
    return ratio + index.method.similarity_weight * similarity


@drawn
@given(lists)
def test_remembered_evidence_is_that_of_the_plain_definition(terms):
    for term in [*terms, *terms]:
        row = ONTOLOGY.rows[term]
        assert np.allclose(RANKER.index.evidence(row), plain_evidence(row), atol=1e-4)


def test_no_more_than_a_fixed_number_of_findings_is_remembered():
    for term in SHOWN[: REMEMBERED + 50]:
        RANKER.index.evidence(ONTOLOGY.rows[term])

    assert len(RANKER.index._remembered) == REMEMBERED


@drawn
@given(observed=lists, excluded=lists, more=st.sampled_from(FINDINGS))
def test_an_added_exclusion_never_raises_any_disease(observed, excluded, more):
    before = scores_of(RANKER, a_phenotype(*observed, excluded=excluded))
    after = scores_of(RANKER, a_phenotype(*observed, excluded=[*excluded, more]))

    assert np.all(after <= before)
    row = ONTOLOGY.rows[more]
    if more not in (*observed, *excluded):
        holders, _ = RANKER.index.spread.of(row)
        assert np.all(after[holders] < before[holders])


@drawn
@given(observed=lists, excluded=lists, data=st.data())
def test_order_and_duplicates_make_no_difference(observed, excluded, data):
    again = data.draw(st.permutations([*observed, *observed[:2]]))
    denied = data.draw(st.permutations([*excluded, *excluded[-1:]]))

    assert RANKER.rank(a_phenotype(*again, excluded=denied)) == RANKER.rank(a_phenotype(*observed, excluded=excluded))


@drawn
@given(lists)
def test_an_alternative_or_obsolete_id_counts_as_the_term_it_stands_for(terms):
    other = {}
    for name, row in ONTOLOGY.rows.items():
        other.setdefault(ONTOLOGY.ids[row], name)
        if name != ONTOLOGY.ids[row]:
            other[ONTOLOGY.ids[row]] = name

    old = [other[term] for term in terms]

    assert RANKER.rank(a_phenotype(*old)) == RANKER.rank(a_phenotype(*terms))
    assert RANKER.rank(a_phenotype(*old, *terms)) == RANKER.rank(a_phenotype(*terms))


@drawn
@given(lists)
def test_no_disease_is_listed_twice_under_any_of_its_ids(terms):
    ranking = RANKER.rank(a_phenotype(*terms, "HP:0001250", "HP:0001249", "HP:0001263"), limit=50)

    ids = [name for candidate in ranking.candidates for name in (candidate.id, *candidate.also)]
    assert len(ranking.candidates) == 50
    assert len(ids) == len(set(ids))


def test_without_its_own_paper_every_published_case_scores_lower():
    """The golden cases of whose disease some annotation cites their paper."""
    changes = []
    for case in read_cases(GOLDEN):
        phenotype, row = phenotype_of(case, ONTOLOGY), RANKER.knowledge.disease_rows[case.diagnosis]
        learned = RANKER.learn(Learned(without=frozenset(case.papers)))
        if row in learned.rows:
            changes.append(scores_of(RANKER, phenotype, learned)[row] - scores_of(RANKER, phenotype)[row])

    assert len(changes) > 30
    assert max(changes) < 0
