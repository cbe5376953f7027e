"""The knowledge base's card: its words are ours, its numbers those of the manifest and the evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("card.md")
_NOT_EVALUATED = "| not evaluated: no cases were at hand |"


def card_text(version: str, described: Mapping[str, Any], evaluation: Mapping[str, Any]) -> str:
    """The card of one version, in Markdown."""
    counts = described["counts"]
    protocols = evaluation.get("protocols", {})
    every = protocols.get("K", {"cases": 0, "diseases": 0})
    return TEMPLATE.read_text(encoding="utf-8").format(
        version=version,
        release=described["release"],
        annotations=described["annotations"],
        terms=counts["terms"],
        diseases=counts["diseases"],
        omim=counts["omim"],
        merged=counts["merged"],
        rows=counts["annotations"],
        licence=described["licence"],
        cases=f"{every['cases']:,}",
        case_diseases=every["diseases"],
        protocols="\n".join(
            f"{_row(name, found)} {found['calibration_error']:.3f} |" for name, found in protocols.items()
        )
        or _NOT_EVALUATED,
        by_findings="\n".join(_row(name, found) for name, found in evaluation.get("by_findings", {}).items())
        or _NOT_EVALUATED,
    )


def _row(name: str, found: Mapping[str, Any]) -> str:
    shares = " | ".join(_interval(found[key]) for key in ("top1", "top3", "top10"))
    return f"| {name} | {found['cases']:,} | {shares} |"


def _interval(found: Mapping[str, float]) -> str:
    return f"{found['value']:.1%} ({found['low']:.1%} to {found['high']:.1%})"
