"""`cds rare …`: how well the knowledge base in service finds published cases."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cds_service.cli.command import Command, argument, say
from cds_service.inference.ranker_bench import PROTOCOLS, Result, by_findings, read_cases, run, summary
from cds_service.inference.ranker_service import load_rare_diseases
from cds_service.settings import Settings

_HEAD = f"{'':16s} {'cases':>6s} {'first':>20s} {'first 3':>20s} {'first 10':>20s} {'MRR':>20s}"


def bench(arguments: argparse.Namespace, settings: Settings) -> int:
    """Rank published cases (observed, excluded, diagnosis, pmid by line) and say how often each list is right."""
    ranker = load_rare_diseases(settings.models_dir).ranker
    cases = read_cases(Path(arguments.file))
    found = {protocol: run(ranker, cases, protocol) for protocol in arguments.protocol or PROTOCOLS}
    document = {protocol: _document(results) for protocol, results in found.items() if results}
    head = f"rare {ranker.version}, HPO {ranker.knowledge.release}, {len(cases)} cases; 95 % intervals by disease"
    text = [head, _HEAD, *(line for protocol in document for line in _lines(protocol, document[protocol]))]
    say(arguments, {"ok": bool(document), "version": ranker.version, "protocols": document}, "\n".join(text))
    return 0 if document else 1


def _document(results: Sequence[Result]) -> dict[str, Any]:
    """All figures of one protocol."""
    times = np.array([result.milliseconds for result in results])
    groups = {name: summary(part) for name, part in by_findings(results).items() if part}
    return {
        **summary(results),
        "by_findings": groups,
        "milliseconds": {"median": float(np.median(times)), "p95": float(np.percentile(times, 95))},
    }


def _lines(protocol: str, found: dict[str, Any]) -> list[str]:
    """One protocol as rows of the table."""
    times = found["milliseconds"]
    return [
        _row(protocol, found),
        *(_row(f"  {name} findings"[:16], part) for name, part in found["by_findings"].items()),
        f"  calibration error of lists of ten {found['calibration_error']:.3f}; "
        f"milliseconds {times['median']:.1f} (median) {times['p95']:.1f} (p95)",
    ]


def _row(name: str, found: dict[str, Any]) -> str:
    return f"{name:16s} {found['cases']:6d} " + " ".join(
        _interval(found[key]) for key in ("top1", "top3", "top10", "mrr")
    )


def _interval(share: dict[str, float]) -> str:
    return f"{share['value']:.3f} ({share['low']:.3f}-{share['high']:.3f})".rjust(20)


COMMANDS = (
    Command(
        ("rare", "bench"),
        bench,
        (
            argument("file", metavar="FILE", help="JSON lines, gzipped or not"),
            argument("--protocol", nargs="+", choices=PROTOCOLS, help="see docs/reference/rare.md; all unless given"),
        ),
    ),
)
