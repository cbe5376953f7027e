"""How long a ranking of rare diseases takes, in process and over HTTP with storage, and what the knowledge base costs.

Every ranking is of ten findings of some disease. All are ranked in turn several times, and of each the fastest counts:
between two of the same so many others come that little of it is remembered, and what else the machine does drops out.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from bench import servers
from bench.client import post, run
from bench.processes import memory_mib
from bench.report import Figure
from cds_service.domain.phenotype import Finding, Phenotype
from cds_service.inference.ranker import Ranker
from cds_service.inference.ranker_service import load_rare_diseases

_MODELS = Path(__file__).parents[1] / "models"
_PATH = "/rare-diseases"
_ROUNDS, _CALLS, _FINDINGS, _MANY = 7, 300, 10, 1000
_LOAD = """
import sys, time
from pathlib import Path
from cds_service.inference.ranker_service import load_rare_diseases
begun = time.process_time()
load_rare_diseases(Path(sys.argv[1]))
print(time.process_time() - begun)
"""


def measure() -> list[Figure]:
    """CPU time in process; the time until the answer over HTTP."""
    ranker = load_rare_diseases(_MODELS).ranker
    cases = list(_cases(ranker, _CALLS))
    inside = _percentiles([_seconds(ranker, case) for case in cases] for _ in range(_ROUNDS))
    many = min(_seconds(ranker, case) for case in _of_many(ranker))
    with tempfile.TemporaryDirectory() as name, servers.service(Path(name)) as server:
        _wait_until_loaded(server.port, cases[0])
        outside = _percentiles(_answered(server.port, cases) for _ in range(_ROUNDS))
        most = min(_answered(server.port, _of_many(ranker)))
        memory = max(memory_mib(server.pid))
    return [
        Figure("ranking of 10 findings in process, CPU, p50", inside[0] * 1e3, "ms"),
        Figure("ranking of 10 findings in process, CPU, p95", inside[1] * 1e3, "ms", at_most=5.0),
        Figure("the same over HTTP and stored, p50", outside[0] * 1e3, "ms"),
        Figure("the same over HTTP and stored, p95", outside[1] * 1e3, "ms", at_most=15.0),
        Figure("ranking of 1,000 findings in process, CPU", many * 1e3, "ms"),
        Figure("the same over HTTP and stored", most * 1e3, "ms"),
        Figure("loading the knowledge base, CPU", min(_load_seconds() for _ in range(3)), "s", at_most=1.5),
        Figure("worker memory under load", memory, "MiB", at_most=175.0),
    ]


def _cases(ranker: Ranker, number: int) -> Iterator[tuple[str, ...]]:
    """So many lists of findings that some disease has, of ten each."""
    draw, ontology = random.Random(1), ranker.knowledge.ontology
    listed = [ranker.index.profile(row)[0] for row in range(len(ranker.index))]
    own = [terms[ontology.is_finding[terms]].tolist() for terms in listed]
    rich = [terms for terms in own if len(terms) >= _FINDINGS]
    for _ in range(number):
        yield tuple(ontology.ids[term] for term in draw.sample(draw.choice(rich), _FINDINGS))


def _of_many(ranker: Ranker) -> list[tuple[str, ...]]:
    """A few lists of a thousand different findings."""
    ontology = ranker.knowledge.ontology
    rows = np.flatnonzero(ontology.is_finding).tolist()
    return [tuple(ontology.ids[row] for row in random.Random(seed).sample(rows, _MANY)) for seed in range(3)]


def _seconds(ranker: Ranker, case: Sequence[str]) -> float:
    phenotype = Phenotype(tuple(map(Finding, case)))
    begun = time.process_time()
    ranker.rank(phenotype)
    return time.process_time() - begun


def _answered(port: int, cases: Sequence[Sequence[str]]) -> list[float]:
    """Seconds until each case was answered, one after the other on one connection."""
    found = run(port, [post(_PATH, json.dumps({"observed": case}).encode()) for case in cases], 1)
    if found.statuses != {200: len(cases)}:
        raise RuntimeError(f"answered {found.statuses}")
    return found.seconds


def _wait_until_loaded(port: int, case: Sequence[str], seconds: float = 60.0) -> None:
    request = [post(_PATH, json.dumps({"observed": case}).encode())]
    deadline = time.monotonic() + seconds
    while run(port, request, 1).statuses != {200: 1}:
        if time.monotonic() > deadline:
            raise RuntimeError("the knowledge base was not loaded in time")
        time.sleep(0.05)


def _percentiles(rounds: Iterable[Sequence[float]]) -> tuple[float, float]:
    """The median and the 95th percentile over all calls of the fastest of each."""
    median, p95 = np.percentile(np.min(list(rounds), axis=0), [50, 95]).tolist()
    return median, p95


def _load_seconds() -> float:
    found = subprocess.run([sys.executable, "-c", _LOAD, str(_MODELS)], check=True, capture_output=True, text=True)
    return float(found.stdout)
