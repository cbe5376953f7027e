"""`cds rare …`: how well the knowledge base finds published cases, and what a site's own cases do to that."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cds_service.cli.command import Command, argument, say
from cds_service.domain.case_counts import Learned
from cds_service.inference.ranker_bench import LISTED, PROTOCOLS, Result, by_findings, read_cases, run, summary
from cds_service.inference.ranker_effect import Place, places
from cds_service.inference.ranker_service import load_rare_diseases
from cds_service.services.overlays import index_of
from cds_service.settings import Settings
from cds_service.storage.overlay import read_overlay
from cds_service.storage.schema import open_current

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


def effect(arguments: argparse.Namespace, settings: Settings) -> int:
    """Say what a tenant's confirmed cases do to the ranks of the published golden cases, with the ranks that change."""
    rare = load_rare_diseases(settings.models_dir)
    engine = open_current(settings.database_url)
    overlay = read_overlay(engine, arguments.tenant)
    engine.dispose()
    found = places(rare.ranker, rare.golden, rare.ranker.learn(Learned()), index_of(overlay, rare.ranker))
    changed = [place for place in found if place.before != place.after or place.has_newcomer]
    document = {
        "ok": True,
        "tenant": arguments.tenant,
        "version": overlay.version,
        "cases": len(overlay.cases),
        "golden": {name: _first(found, name) for name in ("before", "after")},
        "changed": [
            {"id": place.case.id, "diagnosis": place.case.diagnosis, "before": place.before, "after": place.after}
            for place in changed
        ],
    }
    say(arguments, document, "\n".join(_effect_lines(document)))
    return 0


def _first(found: Sequence[Place], name: str) -> dict[str, int]:
    """In how many golden cases the disease comes first, in the first three and in the first ten."""
    return {f"top{k}": sum(getattr(place, name) <= k for place in found) for k in (1, 3, LISTED)}


def _effect_lines(document: dict[str, Any]) -> list[str]:
    head = f"{document['tenant']}: version {document['version']}, {document['cases']} confirmed cases"
    counts = [
        f"golden cases {name:6s} first {found['top1']:3d}  first 3 {found['top3']:3d}  first 10 {found['top10']:3d}"
        for name, found in document["golden"].items()
    ]
    return [
        head,
        *counts,
        *(f"{one['id']}  {one['diagnosis']}  {one['before']} -> {one['after']}" for one in document["changed"]),
    ]


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
    Command(("rare", "effect"), effect, (argument("tenant", metavar="TENANT", help="whose confirmed cases"),)),
    Command(
        ("rare", "bench"),
        bench,
        (
            argument("file", metavar="FILE", help="JSON lines, gzipped or not"),
            argument("--protocol", nargs="+", choices=PROTOCOLS, help="see docs/reference/rare.md; all unless given"),
        ),
    ),
)
