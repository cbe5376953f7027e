"""The model card: its words are ours, its numbers those of `evaluation.json`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).parent / "card.md"
_BAND_NAMES = {"moderate": "moderate or high", "high": "high"}


def card_text(version: str, evaluation: Mapping[str, Any], data_sha256: str) -> str:
    """The card of one version, in Markdown."""
    rows = evaluation["rows"]
    return TEMPLATE.read_text(encoding="utf-8").format(
        version=version,
        data_sha256=data_sha256,
        fit=_population(rows["fit"]),
        calibration=_population(rows["calibration"]),
        test=_population(rows["test"]),
        performance="\n".join(_performance(evaluation["tiers"])),
        years="\n".join(_years(evaluation["tiers"])),
        workload="\n".join(_workload(evaluation["bands"])),
        subgroups="\n".join(_subgroups(evaluation["subgroups"])),
        missing="\n".join(_missing(evaluation["missing"])),
    )


def _population(part: Mapping[str, Any]) -> str:
    return f"{part['visits']:,} visits, {part['admitted']:,} admitted to intensive care ({part['prevalence']:.2%})"


def _performance(tiers: Mapping[str, Any]) -> Iterator[str]:
    for name, tier in tiers.items():
        test = tier["test"]
        shown = (test[key] for key in ("auroc", "auprc", "sensitivity_at_90_specificity", "brier_skill"))
        yield f"| {name} | " + " | ".join(map(_interval, shown)) + " |"


def _years(tiers: Mapping[str, Any]) -> Iterator[str]:
    for name, tier in tiers.items():
        for year, found in tier["by_year"].items():
            cells = (_interval(found[key]) for key in ("expected_over_observed", "calibration_slope"))
            shifted = found["expected_over_observed_after_prior_shift"]
            yield f"| {name} | {year} | " + " | ".join(cells) + f" | {shifted:.2f} |"


def _workload(bands: Mapping[str, Any]) -> Iterator[str]:
    for name, levels in bands.items():
        for band, by_year in levels.items():
            found = by_year["2019-2020"]
            yield (
                f"| {name} | {_BAND_NAMES[band]} (from {found['threshold']:.0%}) | {found['flags_per_100']:.1f} "
                f"| {found['false_share']:.0%} | {found['sensitivity']:.0%} |"
            )


def _subgroups(groups: Mapping[str, Any]) -> Iterator[str]:
    for name, found in groups.items():
        high = found["high"]
        yield (
            f"| {name} | {found['auroc']:.3f} | {found['auprc']:.3f} | {found['expected_over_observed']:.2f} "
            f"| {high['flags_per_100']:.1f} | {high['false_share']:.0%} | {high['sensitivity']:.0%} |"
        )


def _missing(shares: Mapping[str, Any]) -> Iterator[str]:
    for share, found in shares.items():
        ratio = found["expected_over_observed"]
        yield f"| {share} | {found['auroc']:.3f} | {found['auprc']:.3f} | {ratio:.2f} |"


def _interval(found: Mapping[str, float]) -> str:
    return f"{found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
