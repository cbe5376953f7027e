"""A ranking of rare diseases as plain JSON; nothing in it names the patient."""

from __future__ import annotations

from typing import Any

from cds_service.domain.phenotype import Candidate, RareAssessment


def rare_document(assessment: RareAssessment) -> dict[str, Any]:
    """The whole ranking: diseases with their reasons, what to look for next, what was used and what was not."""
    ranking, phenotype = assessment.ranking, assessment.phenotype
    return {
        "id": str(assessment.id),
        "at": assessment.snapshot.at.isoformat(),
        "ranked": [_candidate(candidate, number) for number, candidate in enumerate(ranking.candidates, 1)],
        "omitted": ranking.omitted,
        "confidence": {"band": ranking.band, "listed": round(ranking.confidence, 3)},
        "n_findings": ranking.n_findings,
        "look_for_next": [question._asdict() for question in ranking.questions],
        "findings": [finding._asdict() for finding in phenotype.findings],
        "not_used": [unmapped._asdict() for unmapped in phenotype.unmapped],
        "remarks": list(assessment.snapshot.remarks),
        "model": {"task": "rare", "version": ranking.version},
        "hpo_release": ranking.release,
        "learned_version": ranking.learned_version,
        "site_hash": assessment.site_hash,
        "disclaimer": "Demonstration, not for clinical use. Candidates to consider, not a diagnosis.",
    }


def rare_explanation(assessment: RareAssessment) -> dict[str, Any]:
    """Why: for each disease what speaks for it, what is expected and what speaks against it."""
    return {
        "id": str(assessment.id),
        "unit": "share of the evidence",
        "ranked": [_candidate(one, number) for number, one in enumerate(assessment.ranking.candidates, 1)],
        "omitted": assessment.ranking.omitted,
        "model": {"task": "rare", "version": assessment.ranking.version},
    }


def _candidate(candidate: Candidate, rank: int) -> dict[str, Any]:
    return {
        "rank": rank,
        "id": candidate.id,
        "also": list(candidate.also),
        "name": candidate.name,
        "band": candidate.band,
        "score": candidate.score,
        "for": [support._asdict() for support in candidate.support],
        "expected_not_recorded": [expected._asdict() for expected in candidate.expected],
        "against": [against._asdict() for against in candidate.against],
        "inheritance": list(candidate.inheritance),
        "learned_from": candidate.learned_from,
    }
