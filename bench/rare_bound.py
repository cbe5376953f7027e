"""How much one confirmed case moves the golden cases, real or made up: `python -m bench.rare_bound FILE`.

One development case for each disease is added alone, under its own diagnosis and under one nobody annotated; then
cases made up to fit everything. Needs the development cases of the shared data.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bench.rare import ROOT
from cds_service.domain.case_counts import Learned
from cds_service.inference.ranker_bench import phenotype_of, read_cases
from cds_service.inference.ranker_effect import places
from cds_service.inference.ranker_service import RareDiseases, load_rare_diseases

UNKNOWN = "OMIM:999999"
COMMONEST = (10, 30, 100, 200)


def worse(rare: RareDiseases, disease: str, observed: Iterable[str], excluded: Iterable[str] = ()) -> int:
    """In how many golden cases one case lowers the disease or brings another into the first ten."""
    nothing = rare.ranker.learn(Learned())
    learned = rare.ranker.learn(Learned("1").with_case(disease, observed=observed, excluded=excluded))
    return sum(place.is_worse for place in places(rare.ranker, rare.golden, nothing, learned))


def main() -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--most", type=int, default=120, help="so many diseases")
    options = parser.parse_args()
    rare = load_rare_diseases(ROOT / "models")
    ontology = rare.ranker.knowledge.ontology
    by_disease = defaultdict(list)
    for case in read_cases(options.file):
        by_disease[case.diagnosis].append(case)
    draw = random.Random(5)
    cases = [draw.choice(found) for found in draw.sample(list(by_disease.values()), options.most)]
    for name, disease in (("its own diagnosis", None), ("a disease not annotated", UNKNOWN)):
        counts = []
        for case in cases:
            findings = phenotype_of(case, ontology).findings
            observed, excluded = ([f.term for f in findings if f.excluded is said] for said in (False, True))
            counts.append(worse(rare, disease or case.diagnosis, observed, excluded))
        print(
            f"{len(cases)} cases under {name}: golden cases worse {np.bincount(counts).tolist()} (0, 1, 2, …)",
            flush=True,
        )
    annotated = np.where(
        ontology.is_finding, np.bincount(rare.ranker.knowledge.annotated.term, minlength=len(ontology)), 0
    )
    commonest = [ontology.ids[row] for row in np.argsort(-annotated).tolist()]
    for number in COMMONEST:
        print(f"the {number} commonest findings: {worse(rare, UNKNOWN, commonest[:number])}", flush=True)
    every = {f.term for case in rare.golden for f in phenotype_of(case, ontology).findings if not f.excluded}
    print(f"all {len(every)} findings of the golden cases: {worse(rare, UNKNOWN, every)}")


if __name__ == "__main__":
    main()
