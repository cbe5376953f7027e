"""How well the ranker finds published cases: protocols, ranks, intervals by disease, calibration of the confidence."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.case_counts import Learned
from cds_service.domain.ontology import Floats, Ontology
from cds_service.domain.phenotype import Finding, Phenotype
from cds_service.errors import BadRequest
from cds_service.inference.ranker import Ranker, best_rows
from cds_service.inference.ranker_knowledge import Knowledge
from cds_service.inference.ranker_learned import LearnedIndex
from cds_service.inference.ranker_query import Query, query_of

# K keeps every annotation, as published tools do. R removes every annotation that cites the case's own paper, S those
# that rest on it alone. C keeps only cases whose paper no annotation of their disease cites.
PROTOCOLS = ("K", "R", "S", "C")
LISTED = 10
_NOT_RANKED = 1_000_000
_RESAMPLES = 500


class Case(NamedTuple):
    """A published patient: HPO terms, the diagnosis and the papers it comes from."""

    id: str
    observed: tuple[str, ...]
    excluded: tuple[str, ...]
    age_years: float | None
    sex: str | None
    diagnosis: str
    papers: tuple[str, ...]


class Result(NamedTuple):
    """One case under one protocol; `trust` is the probability that its disease is among the first ten."""

    diagnosis: str
    n_findings: int
    rank: int
    trust: float
    milliseconds: float


class Ranked(NamedTuple):
    """One case with everything its rank comes from; `shared` is as `Index.shared_with` says."""

    case: Case
    query: Query
    learned: LearnedIndex
    shared: Floats
    scores: Floats
    rank: int
    milliseconds: float

    @property
    def n_findings(self) -> int:
        """How many findings the case is ranked by."""
        return len(self.query.pictured)


def read_cases(path: Path) -> list[Case]:
    """The cases of a JSON-lines file, gzipped or not; BadRequest names the line that cannot be read."""
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8") as lines:
            return [_case(line, f"{path.name}:{number}") for number, line in enumerate(lines, 1) if line.strip()]
    except (OSError, EOFError, UnicodeDecodeError) as problem:
        raise BadRequest("cannot be read", where=str(path)) from problem


def _case(line: str, where: str) -> Case:
    try:
        found = json.loads(line)
        return Case(
            id=str(found["id"]),
            observed=tuple(found["observed"]),
            excluded=tuple(found.get("excluded", ())),
            age_years=found.get("age_years"),
            sex=found.get("sex"),
            diagnosis=str(found["diagnosis"]),
            papers=tuple(found.get("pmid", ())),
        )
    except (ValueError, KeyError, TypeError) as problem:
        raise BadRequest("is no case: id, observed and diagnosis are needed", where=where) from problem


def phenotype_of(case: Case, ontology: Ontology) -> Phenotype:
    """The case as the service would see it; terms that are no findings are left out."""
    listed = [(term, False) for term in case.observed] + [(term, True) for term in case.excluded]
    findings = tuple(
        Finding(ontology.ids[ontology.rows[term]], excluded)
        for term, excluded in listed
        if term in ontology.rows and ontology.is_finding[ontology.rows[term]]
    )
    sex = case.sex if case.sex in ("male", "female") else None
    return Phenotype(findings, age_years=case.age_years, sex=sex)


def run(
    ranker: Ranker, cases: Iterable[Case], protocol: str, learn: Callable[[Case], Learned] | None = None
) -> list[Result]:
    """The result of every case the protocol takes; `learn` says what a site would have learned before each."""
    results = []
    for one in ranked_cases(ranker, cases, protocol, learn):
        started = perf_counter()
        best = best_rows(one.scores, LISTED)
        trust = ranker.confidence.of_ranking(one.scores, best, one.n_findings).within[-1]
        milliseconds = one.milliseconds + (perf_counter() - started) * 1000
        results.append(Result(one.case.diagnosis, one.n_findings, one.rank, float(trust), milliseconds))
    return results


def ranked_cases(
    ranker: Ranker, cases: Iterable[Case], protocol: str, learn: Callable[[Case], Learned] | None = None
) -> Iterator[Ranked]:
    """Every case the protocol takes with all its scores; `learn` says what a site would have learned before each."""
    ontology = ranker.knowledge.ontology
    for case, learned in _prepared(ranker, cases, protocol, learn):
        phenotype = phenotype_of(case, ontology)
        started = perf_counter()
        query = query_of(phenotype, ontology, ranker.method)
        shared = ranker.index.shared_with(query.pictured)
        scores = ranker.scores(query, shared, learned)
        milliseconds = (perf_counter() - started) * 1000
        rank = rank_of(ranker, case.diagnosis, learned, scores)
        yield Ranked(case, query, learned, shared, scores, rank, milliseconds)


def _prepared(
    ranker: Ranker, cases: Iterable[Case], protocol: str, learn: Callable[[Case], Learned] | None
) -> Iterator[tuple[Case, LearnedIndex]]:
    """The cases the protocol takes, each with the annotations it leaves and what was learned before."""
    cited = papers_by_disease(ranker.knowledge)
    known: dict[frozenset[str], LearnedIndex] = {}
    for case in cases:
        own = frozenset(case.papers) & cited.get(ranker.knowledge.disease_rows.get(case.diagnosis, -1), frozenset())
        if protocol == "C" and own:
            continue
        removed = own if protocol in ("R", "S") else frozenset()
        if learn is None and removed in known:
            yield case, known[removed]
            continue
        learned = replace(learn(case) if learn else Learned(), without=removed)
        known[removed] = ranker.learn(learned, pooled=protocol == "R")
        yield case, known[removed]


def rank_of(ranker: Ranker, diagnosis: str, learned: LearnedIndex, scores: NDArray[np.float32]) -> int:
    """The place of the disease, from 1; of equal scores the smaller row comes first."""
    row = ranker.knowledge.disease_rows.get(diagnosis)
    if row is None and diagnosis in learned.ids:
        row = len(ranker.index) + learned.ids.index(diagnosis)
    if row is None or not scores.any():
        return _NOT_RANKED
    return 1 + int((scores > scores[row]).sum()) + int((scores[:row] == scores[row]).sum())


def papers_by_disease(knowledge: Knowledge) -> dict[int, frozenset[str]]:
    """The papers cited for each disease, by its row."""
    annotated = knowledge.annotated
    found: dict[int, set[str]] = {}
    for row, reference in set(zip(annotated.disease.tolist(), annotated.reference.tolist(), strict=True)):
        found.setdefault(row, set()).update(knowledge.references[reference].split(";"))
    return {row: frozenset(papers) for row, papers in found.items()}


def summary(results: Sequence[Result], seed: int = 17) -> dict[str, Any]:
    """Shares of cases found in the first 1, 3 and 10, with 95 % intervals that resample diseases.

    The calibration error is of the stated probability that the disease is among the ten, each disease weighing alike.
    """
    ranks = np.array([result.rank for result in results], float)
    figures = {f"top{k}": ranks <= k for k in (1, 3, LISTED)} | {"mrr": 1 / ranks}
    trust = np.array([result.trust for result in results])
    groups = groups_of([result.diagnosis for result in results])
    found: dict[str, Any] = {"cases": len(results), "diseases": len(groups)}
    for name, values in figures.items():
        found[name] = interval(np.asarray(values, float), groups, seed)
    weights = weights_by_disease([result.diagnosis for result in results])
    found["calibration_error"] = calibration_error(trust, ranks <= LISTED, weights)
    return found


def interval(values: NDArray[np.float64], groups: Sequence[NDArray[np.int64]], seed: int = 17) -> dict[str, float]:
    """The mean with its 95 % bootstrap interval over whole groups."""
    sums = np.array([values[group].sum() for group in groups])
    sizes = np.array([len(group) for group in groups])
    drawn = np.random.default_rng(seed).integers(0, len(groups), (_RESAMPLES, len(groups)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return {"value": float(values.mean()), "low": float(low), "high": float(high)}


def calibration_error(
    stated: NDArray[np.float64], happened: NDArray[np.bool_], weights: NDArray[np.float64], bins: int = 10
) -> float:
    """The weighted mean difference of what was stated and what happened, over bins of equal weight."""
    order = np.argsort(stated, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    parts = [order[np.minimum((share * bins).astype(int), bins - 1) == number] for number in range(bins)]
    gaps = [
        weights[part].sum() * abs(np.average(stated[part] - happened[part], weights=weights[part]))
        for part in parts
        if len(part)
    ]
    return float(sum(gaps) / weights.sum())


def weights_by_disease(diagnoses: Sequence[str]) -> NDArray[np.float64]:
    """A weight for each case, such that all diseases together weigh the same."""
    counts = Counter(diagnoses)
    return np.array([1 / counts[diagnosis] for diagnosis in diagnoses])


def by_findings(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The results by how many findings the case has."""
    bounds = {"1-2": (1, 2), "3-5": (3, 5), "6-10": (6, 10), "11 or more": (11, _NOT_RANKED)}
    return {name: [r for r in results if low <= r.n_findings <= high] for name, (low, high) in bounds.items()}


def groups_of(diagnoses: Sequence[str]) -> list[NDArray[np.int64]]:
    """Places of the cases of each disease."""
    diseases = np.array(diagnoses)
    return [np.flatnonzero(diseases == disease) for disease in sorted(set(diagnoses))]
