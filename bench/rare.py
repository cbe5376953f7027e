"""Ways to rank rare diseases side by side on the same cases: `python -m bench.rare FILE [--protocol K R C]`.

Other methods first, then the one in service a part at a time, each part paired against the stage before it, then what
validated cases add. At most six cases a disease, so that no cohort decides. Needs the development cases of the shared
data; the learned second stage is tried by `python -m training rare --rerank`.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.case_counts import Learned
from cds_service.domain.ontology import Floats, Ints
from cds_service.inference.ranker import Ranker
from cds_service.inference.ranker_bench import (
    LISTED,
    Case,
    Ranked,
    groups_of,
    interval,
    phenotype_of,
    rank_of,
    ranked_cases,
    read_cases,
)
from cds_service.inference.ranker_index import Index
from cds_service.inference.ranker_knowledge import Knowledge, load_knowledge
from cds_service.inference.ranker_query import is_too_young, is_unlikely_sex

ROOT = Path(__file__).parents[1]
PER_DISEASE = 6
_TOPS = (1, 3, LISTED)
_ADDED = (0, 1, 5, 20)
# Against which a method is paired: the stage before it.
_BEFORE = {
    "+ similarity": "likelihood ratio",
    "+ coverage": "+ similarity",
    "+ excluded findings": "+ coverage",
    "+ onset and sex": "+ excluded findings",
    "in service": "in service, without Orphanet",
    "1 validated cases": "0 validated cases",
    "5 validated cases": "1 validated cases",
    "20 validated cases": "5 validated cases",
}
Ranks = dict[str, list[int]]
# Scores of the diseases of an index; the published one says how common a term is, also for the changed diseases.
Score = Callable[[Index, Index, Ints], Floats]


def cosine(index: Index, published: Index, terms: Ints) -> Floats:
    """Cosine of profiles spread to all ancestors, each term weighing its information."""
    information = published.background.information
    spread = index.spread
    term = np.repeat(np.arange(len(index.ontology)), np.diff(spread.starts))
    norm = np.sqrt(np.bincount(spread.disease, information[term] ** 2, len(index)))
    dot = np.zeros(len(index))
    for row in terms.tolist():
        dot[spread.of(row)[0]] += information[row] ** 2
    return np.asarray(dot / np.maximum(norm, 1e-9), np.float32)


def bm25(index: Index, published: Index, terms: Ints) -> Floats:
    """Okapi BM25 (k1 1.2, b 0.75) with frequencies as term counts, over all ancestors."""
    length = np.bincount(index.spread.disease, minlength=len(index))
    mean_length = len(published.spread.disease) / len(published)
    total = np.zeros(len(index))
    for row in terms.tolist():
        holders, frequency = index.spread.of(row)
        common = len(published.spread.of(row)[0])
        idf = np.log(1 + (len(published) - common + 0.5) / (common + 0.5))
        saturation = 1.2 * (0.25 + 0.75 * length[holders] / mean_length)
        total[holders] += idf * frequency * 2.2 / (frequency + saturation)
    return np.asarray(total, np.float32)


def others(ranker: Ranker, one: Ranked) -> Iterator[tuple[str, Floats]]:
    """The scores of methods that are not in service."""
    observed = one.query.observed
    terms = np.unique(ranker.index.ontology.ancestors_of_all(observed)[0])
    ways: dict[str, Score] = {"cosine": cosine, "BM25": bm25}
    yield "Resnik", _mean(ranker, one, 1)
    for name, score in ways.items():
        published = score(ranker.index, ranker.index, terms)
        yield name, one.learned.merged(published, score(one.learned.index, ranker.index, terms))


def stages(ranker: Ranker, one: Ranked) -> Iterator[tuple[str, Floats]]:
    """The scores of the method in service, a part more each time; the last are those it is ranked by."""
    method, index, own = ranker.method, ranker.index, one.learned.index
    scores = _mean(ranker, one, 0)
    yield "likelihood ratio", scores
    scores = scores + np.float32(method.similarity_weight) * _mean(ranker, one, 1)
    yield "+ similarity", scores
    covered = one.learned.merged(index.coverage(one.shared), own.coverage(one.shared))
    scores = scores + np.float32(method.coverage_weight) * covered
    yield "+ coverage", scores
    refuted = one.learned.merged(_refuted(index, one), _refuted(own, one))
    scores = scores + np.float32(method.excluded_weight) * refuted / np.float32(len(one.query.observed))
    yield "+ excluded findings", scores
    against = is_too_young(ranker.knowledge, one.query) | is_unlikely_sex(ranker.knowledge, one.query)
    yield "+ onset and sex", np.asarray(scores - np.float32(method.contradiction) * against, np.float32)


def _mean(ranker: Ranker, one: Ranked, part: int) -> Floats:
    """Mean over the findings of the likelihood ratio (0) or the similarity (1)."""
    found = [
        one.learned.merged(ranker.index.parts_of(row)[part], one.learned.index.parts_of(row)[part])
        for row in one.query.observed.tolist()
    ]
    return np.asarray(np.mean(found, axis=0), np.float32)


def _refuted(index: Index, one: Ranked) -> Floats:
    total = np.zeros(len(index), np.float32)
    for row in one.query.excluded.tolist():
        diseases, losses = index.refutation(row)
        total[diseases] += losses
    return total


def compared(knowledge: Knowledge, cases: Sequence[Case], protocol: str) -> tuple[Ranks, list[str]]:
    """Ranks by method, and the diagnoses of the cases in the same order."""
    ranks: Ranks = defaultdict(list)
    diagnoses = []
    ranker = Ranker(knowledge)
    for one in ranked_cases(ranker, cases, protocol):
        if len(one.query.observed):
            diagnoses.append(one.case.diagnosis)
            for name, scores in (*others(ranker, one), *stages(ranker, one)):
                ranks[name].append(rank_of(ranker, one.case.diagnosis, one.learned, scores))
            ranks["in service"].append(one.rank)
    plain = Ranker(without_orphanet(knowledge))
    without = [one.rank for one in ranked_cases(plain, cases, protocol) if len(one.query.observed)]
    return {"in service, without Orphanet": without, **ranks}, diagnoses


def without_orphanet(knowledge: Knowledge) -> Knowledge:
    """The knowledge base without annotations that come from Orphanet."""
    own = np.array([reference != "Orphanet" for reference in knowledge.references])
    return replace(knowledge, annotated=knowledge.annotated.where(own[knowledge.annotated.reference]))


def capped(cases: Iterable[Case]) -> list[Case]:
    """At most six cases a disease, the first of each."""
    seen: Counter[str] = Counter()
    kept = []
    for case in cases:
        seen[case.diagnosis] += 1
        if seen[case.diagnosis] <= PER_DISEASE:
            kept.append(case)
    return kept


def with_others(ranker: Ranker, cases: Iterable[Case], k: int) -> Callable[[Case], Learned]:
    """What a site would have learned from k cases of the same disease that come from other papers."""
    by_disease: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        by_disease[case.diagnosis].append(case)

    def learn(case: Case) -> Learned:
        others = [other for other in by_disease[case.diagnosis] if not set(other.papers) & set(case.papers)]
        learned = Learned()
        for other in random.Random(case.id).sample(others, min(k, len(others))):
            findings = phenotype_of(other, ranker.knowledge.ontology).findings
            learned = learned.with_case(
                case.diagnosis,
                observed=[finding.term for finding in findings if not finding.excluded],
                excluded=[finding.term for finding in findings if finding.excluded],
            )
        return learned

    return learn


def taught(knowledge: Knowledge, every: Sequence[Case], protocol: str) -> tuple[Ranks, list[str]]:
    """Ranks by the number of validated cases added, of capped cases whose disease has another paper."""
    ranker = Ranker(knowledge)
    papers: dict[str, set[str]] = defaultdict(set)
    for case in every:
        papers[case.diagnosis].update(case.papers)
    known = [case for case in capped(every) if len(papers[case.diagnosis]) > 1]
    ranks: Ranks = {}
    diagnoses: list[str] = []
    for k in _ADDED:
        found = list(ranked_cases(ranker, known, protocol, with_others(ranker, every, k)))
        ranks[f"{k} validated cases"] = [one.rank for one in found]
        diagnoses = [one.case.diagnosis for one in found]
    return ranks, diagnoses


def table(ranks: Ranks, diagnoses: Sequence[str]) -> Iterator[str]:
    """A line for each method: shares with intervals by disease, and the change against the stage before it."""
    groups = groups_of(list(diagnoses))
    for name, found in ranks.items():
        yield f"{name:30s} {len(found):5d}  " + "  ".join(_share(found, top, groups) for top in _TOPS)
        before = _BEFORE.get(name)
        if before is not None:
            changes = "  ".join(_change(found, ranks[before], top, groups) for top in _TOPS)
            yield f"{'  against ' + before:36s}  {changes}"


def _share(ranks: Sequence[int], top: int, groups: Sequence[NDArray[np.int64]]) -> str:
    found = interval(np.asarray(np.array(ranks) <= top, float), groups)
    return f"{100 * found['value']:5.1f} ({100 * found['low']:.0f}-{100 * found['high']:.0f})".ljust(20)


def _change(ranks: Sequence[int], before: Sequence[int], top: int, groups: Sequence[NDArray[np.int64]]) -> str:
    found = interval((np.array(ranks) <= top).astype(float) - (np.array(before) <= top), groups)
    return f"{100 * found['value']:+5.1f} ({100 * found['low']:+.1f} to {100 * found['high']:+.1f})".ljust(20)


def main() -> None:
    """Print the tables: first, first three, first ten."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--protocol", nargs="+", default=["K", "R", "C"], choices=("K", "R", "S", "C"))
    options = parser.parse_args()
    every = read_cases(options.file)
    knowledge = load_knowledge(ROOT / "models")
    for protocol in options.protocol:
        print(f"protocol {protocol}: first, first 3, first 10 (95 % by disease)", flush=True)
        ranks, diagnoses = compared(knowledge, capped(every), protocol)
        print("\n".join(table(ranks, diagnoses)), flush=True)
        if protocol != "K":
            ranks, diagnoses = taught(knowledge, every, protocol)
            print("\n".join(table(ranks, diagnoses)), flush=True)


if __name__ == "__main__":
    main()
