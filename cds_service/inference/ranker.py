"""Ranks rare diseases for a patient's findings: one score a disease, explained, with what to look for next."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from cds_service.domain.case_counts import Learned
from cds_service.domain.ontology import Floats, Ints
from cds_service.domain.phenotype import FEWEST_FINDINGS, Phenotype, Ranking
from cds_service.inference.ranker_confidence import Confidence
from cds_service.inference.ranker_explain import Explained, best_matches, denied_by, explain, presence
from cds_service.inference.ranker_index import Index, Method
from cds_service.inference.ranker_knowledge import Knowledge
from cds_service.inference.ranker_learned import LearnedIndex, learned_index
from cds_service.inference.ranker_profiles import profiles_from
from cds_service.inference.ranker_query import Query, is_too_young, is_unlikely_sex, query_of, score
from cds_service.inference.ranker_questions import AMONG, next_questions


class Ranker:
    """The knowledge base ready to rank; the same findings always give the same list."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        self.method = Method.from_document(knowledge.method["ranking"])
        self.confidence = Confidence.from_document(knowledge.method["confidence"])
        profiles = profiles_from(knowledge.annotated, len(knowledge.diseases))
        self.index = Index(knowledge.ontology, profiles, self.method)
        self._inherited = cache(knowledge.ontology.name_of)  # a few dozen, in every ranking
        self._nothing_learned = learned_index(knowledge, self.index, Learned())

    @property
    def version(self) -> str:
        """Version of the knowledge base."""
        return self.knowledge.version

    @property
    def card_path(self) -> Path:
        """The knowledge base's card."""
        return self.knowledge.card_path

    def learn(self, learned: Learned, *, pooled: bool = True) -> LearnedIndex:
        """What a site has learned, ready to be given to `rank`; built once for each version of it.

        Of removed papers, annotations that rest on others as well go too when `pooled`.
        """
        return learned_index(self.knowledge, self.index, learned, pooled=pooled)

    def rank(self, phenotype: Phenotype, *, limit: int = 10, learned: LearnedIndex | None = None) -> Ranking:
        """The `limit` best diseases with their reasons, or why there are none; in both cases what to look for next."""
        learned = learned or self._nothing_learned
        query = query_of(phenotype, self.knowledge.ontology, self.method)
        enough = len(query.pictured) >= FEWEST_FINDINGS
        shared = self.index.shared_with(query.pictured)
        scores = self.scores(query, shared, learned)
        best = best_rows(scores, max(limit, AMONG))
        trust = self.confidence.of_ranking(scores, best, len(query.pictured))
        present = presence(self.index, learned, best)
        matched, gains = best_matches(self.index, query, present, limit)
        denied = denied_by(self.index, query)
        explained = Explained(
            self.knowledge,
            self.index,
            learned,
            query,
            best,
            shared,
            denied,
            present,
            matched,
            gains,
            named=cache(self.knowledge.ontology.named),
            cited=cache(self.knowledge.papers_of),
            inherited=self._inherited,
        )
        n_shown = min(limit, len(best)) if enough else 0
        confidence = float(trust.within[n_shown - 1]) if n_shown else 0.0
        return Ranking(
            candidates=tuple(
                explain(
                    explained,
                    number,
                    score=float(scores[best[number]]),
                    band=self.confidence.candidate_band(float(trust.shares[number])),
                )
                for number in range(n_shown)
            ),
            questions=next_questions(explained, trust.shares) if len(query.pictured) else (),
            confidence=confidence,
            band=self.confidence.list_band(confidence),
            n_findings=len(query.pictured),
            omitted=None if enough else "not-enough-findings",
            version=self.knowledge.version,
            release=self.knowledge.release,
            learned_version=learned.version,
        )

    def scores(self, query: Query, shared: Floats, learned: LearnedIndex) -> Floats:
        """Every disease's score, shape (diseases,); those that only the site knows come last."""
        return self.scores_from(score(self.index, query, shared), query, shared, learned)

    def scores_from(self, published: Floats, query: Query, shared: Floats, learned: LearnedIndex) -> Floats:
        """The same from what the published annotations alone score."""
        scores = learned.merged(published, score(learned.index, query, shared))
        against = is_too_young(self.knowledge, query) | is_unlikely_sex(self.knowledge, query)
        scores[: len(self.index)] -= np.float32(self.method.contradiction) * against
        return scores


def best_rows(scores: Floats, number: int) -> Ints:
    """Rows of the best scores, best first; of equal ones the smaller row."""
    number = min(number, len(scores))
    least = np.partition(scores, len(scores) - number)[len(scores) - number]
    rows = np.flatnonzero(scores >= least)
    return rows[np.lexsort((rows, -scores[rows]))][:number]
