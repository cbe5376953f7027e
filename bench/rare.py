"""Ways to rank rare diseases side by side on the same cases, and what validated cases add: `python -m bench.rare FILE`.

At most six cases a disease, so that no cohort decides. Needs the development cases of the shared data.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.case_counts import Learned
from cds_service.inference.ranker import Ranker
from cds_service.inference.ranker_bench import Case, Result, phenotype_of, read_cases, run, summary
from cds_service.inference.ranker_knowledge import Knowledge, load_knowledge
from cds_service.inference.ranker_query import Query

ROOT = Path(__file__).parents[1]
PER_DISEASE = 6
Score = Callable[[Ranker, Query], NDArray[np.float32]]


def resnik(ranker: Ranker, query: Query) -> NDArray[np.float32]:
    """Mean information content of the most specific shared ancestor."""
    return np.mean([ranker.index.parts_of(row)[1] for row in query.observed.tolist()], axis=0)


def likelihood(ranker: Ranker, query: Query) -> NDArray[np.float32]:
    """Mean discounted likelihood ratio."""
    return np.mean([ranker.index.parts_of(row)[0] for row in query.observed.tolist()], axis=0)


def _terms_of(ranker: Ranker, query: Query) -> NDArray[np.int64]:
    return np.unique(np.concatenate([ranker.index.ontology.ancestors_of(row) for row in query.observed.tolist()]))


def cosine(ranker: Ranker, query: Query) -> NDArray[np.float32]:
    """Cosine of profiles spread to all ancestors, each term weighing its information."""
    index, information = ranker.index, ranker.index.background.information
    term = np.repeat(np.arange(len(index.ontology)), np.diff(index.starts))
    norm = np.sqrt(np.bincount(index.disease, information[term] ** 2, len(index)))
    dot = np.zeros(len(index))
    for row in _terms_of(ranker, query).tolist():
        dot[index.disease[index.starts[row] : index.starts[row + 1]]] += information[row] ** 2
    return np.asarray(dot / np.maximum(norm, 1e-9), np.float32)


def bm25(ranker: Ranker, query: Query) -> NDArray[np.float32]:
    """Okapi BM25 (k1 1.2, b 0.75) with frequencies as term counts, over all ancestors."""
    index = ranker.index
    length = np.bincount(index.disease, minlength=len(index))
    total = np.zeros(len(index))
    for row in _terms_of(ranker, query).tolist():
        part = slice(index.starts[row], index.starts[row + 1])
        holders, frequency = index.disease[part], index.frequency[part]
        idf = np.log(1 + (len(index) - len(holders) + 0.5) / (len(holders) + 0.5))
        saturation = 1.2 * (0.25 + 0.75 * length[holders] / length.mean())
        total[holders] += idf * frequency * 2.2 / (frequency + saturation)
    return np.asarray(total, np.float32)


class Instead(Ranker):
    """A ranker whose score is another."""

    def __init__(self, knowledge: Knowledge, score: Score) -> None:
        super().__init__(knowledge)
        self._score = score

    def scores(self, query, shared, learned):  # type: ignore[no-untyped-def]  # noqa: D102
        return self._score(self, query) if len(query.observed) else np.zeros(len(self.index), np.float32)


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


def row(name: str, results: list[Result]) -> str:
    """One line of the table."""
    found = summary(results)
    shares = " ".join(
        f"{100 * found[key]['value']:5.1f} ({100 * found[key]['low']:.0f}-{100 * found[key]['high']:.0f})"
        for key in ("top1", "top3", "top10")
    )
    return f"{name:32s} {found['cases']:5d}  {shares}"


def main() -> None:
    """Print the table: first, first three, first ten, with 95 % intervals by disease."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--protocol", default="C", choices=("C", "R"))
    options = parser.parse_args()
    every = read_cases(options.file)
    cases = capped(every)
    knowledge = load_knowledge(ROOT / "models")
    print(f"protocol {options.protocol}, {len(cases)} cases before it", flush=True)
    if options.protocol == "C":
        for score in (resnik, cosine, bm25, likelihood):
            print(row(score.__name__, run(Instead(knowledge, score), cases, "C")), flush=True)
    print(row("in service, without Orphanet", run(Ranker(without_orphanet(knowledge)), cases, options.protocol)))
    ranker = Ranker(knowledge)
    for k in (0, 1, 5, 20):
        papers = {case.diagnosis: set[str]() for case in every}
        for case in every:
            papers[case.diagnosis].update(case.papers)
        known = [case for case in cases if len(papers[case.diagnosis]) > 1]
        learn = with_others(ranker, every, k)
        print(row(f"{k} validated cases", run(ranker, known, options.protocol, learn)), flush=True)
    print(row("in service", run(ranker, cases, options.protocol)))


if __name__ == "__main__":
    main()
