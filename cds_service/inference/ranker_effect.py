"""What validated cases do to the ranking of the published golden cases: shown to people, and held to a bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cds_service.domain.case_counts import Learned
from cds_service.domain.ontology import Floats
from cds_service.inference.ranker import Ranker, best_rows
from cds_service.inference.ranker_bench import LISTED, Case, phenotype_of, rank_of
from cds_service.inference.ranker_learned import LearnedIndex
from cds_service.inference.ranker_query import query_of, score


class Place(NamedTuple):
    """Where a golden case's disease stands before and after, and whether another came anew into the first ten."""

    case: Case
    before: int
    after: int
    has_newcomer: bool

    @property
    def is_worse(self) -> bool:
        """Whether the case is served worse than before, or shown something else."""
        return self.after > self.before or self.has_newcomer


def places(ranker: Ranker, golden: Sequence[Case], before: LearnedIndex, after: LearnedIndex) -> list[Place]:
    """Every golden case under both; every published annotation counts, as in the service."""
    return [_place(ranker, case, before, after) for case in golden]


def moves_too_much(ranker: Ranker, golden: Sequence[Case], before: LearnedIndex, after: LearnedIndex) -> bool:
    """Whether what came between the two is over the bounds of `method.json` (training/rare/method.toml says why)."""
    bounds = ranker.knowledge.method["learning"]
    found = places(ranker, golden, before, after)
    worse = sum(place.is_worse for place in found)
    nothing = ranker.learn(Learned())
    fallen = [place.case for place in found if place.after > LISTED]
    lost = sum(place.before <= LISTED for place in places(ranker, fallen, nothing, after))
    return worse > float(bounds["one_case"]) * len(golden) or lost > float(bounds["all_cases"]) * len(golden)


def _place(ranker: Ranker, case: Case, before: LearnedIndex, after: LearnedIndex) -> Place:
    query = query_of(phenotype_of(case, ranker.knowledge.ontology), ranker.knowledge.ontology, ranker.method)
    shared = ranker.index.shared_with(query.pictured)
    published = score(ranker.index, query, shared)
    (before_rank, before_ids), (after_rank, after_ids) = (
        _listed(ranker, case, learned, ranker.scores_from(published, query, shared, learned))
        for learned in (before, after)
    )
    return Place(case, before_rank, after_rank, has_newcomer=bool(after_ids - before_ids - {case.diagnosis}))


def _listed(ranker: Ranker, case: Case, learned: LearnedIndex, scores: Floats) -> tuple[int, set[str]]:
    """The rank of the case's disease, and the ids of the first ten."""
    ids = {_id(ranker, row, learned) for row in best_rows(scores, LISTED).tolist()}
    return rank_of(ranker, case.diagnosis, learned, scores), ids


def _id(ranker: Ranker, row: int, learned: LearnedIndex) -> str:
    own = row - len(ranker.index)
    return ranker.knowledge.diseases[row] if own < 0 else learned.ids[own]
