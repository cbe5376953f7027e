"""The model card of a challenger: fixed sections, the words of its task, the numbers of its evaluation."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).with_name("challenger.md")
WORDS = Path(__file__).with_name("challenger.toml")

SECTIONS = (
    "Intended use",
    "Data",
    "Model",
    "How good it is",
    "Conformal sets",
    "Workload",
    "Subgroups",
    "Limits",
    "What it cannot say",
)
"""What a card must have before the gate lets it by."""

Evaluation = Mapping[str, Any]


def card_text(version: str, evaluation: Evaluation, made: Mapping[str, Any]) -> str:
    """The card in Markdown; `made` holds trainer, split, dataset_sha256 and alpha."""
    words = tomllib.loads(WORDS.read_text(encoding="utf-8"))
    line = next(line for line in evaluation["leaderboard"] if line["served"])
    own = words[evaluation["task"]]
    return TEMPLATE.read_text(encoding="utf-8").format(
        version=version,
        title=own["title"],
        marks=words["marks"]["synthetic" if evaluation["synthetic"] else "real"],
        use=own["use"],
        data=f"SHA-256 `{made['dataset_sha256']}`. {own['data']}",
        class_names=" | ".join(evaluation["classes"]),
        class_rules=" | ".join("---" for _ in evaluation["classes"]),
        rows="\n".join(_rows(evaluation)),
        split=words["split"][made["split"]],
        family=line["family"],
        n_families=len(evaluation["leaderboard"]),
        quality=f"{line['nested']['mean']:.3f}" if line["nested"] else "on rows set aside",
        trainer=made["trainer"],
        champion=f"version {evaluation['champion']}" if evaluation["champion"] else "no model: it is the first",
        outside=_outside(evaluation["outside_service"]),
        performance="\n".join(_performance(line)),
        against=_against(evaluation),
        alpha=made["alpha"],
        coverage="\n".join(_coverage(line)),
        workload="\n".join(_workload(evaluation)),
        subgroups="\n".join(_subgroups(evaluation)),
        limits=_bullets(own["limits"]),
        cannot=_bullets(own["cannot"]),
    )


def missing_sections(card: str) -> tuple[str, ...]:
    """Sections the card lacks or leaves empty."""
    bodies = {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in card.split("\n## ")[1:]}
    return tuple(name for name in SECTIONS if not bodies.get(name))


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _rows(evaluation: Evaluation) -> Iterator[str]:
    for part, found in evaluation["rows"].items():
        counts = " | ".join(f"{count:,}" for count in found["by_class"].values())
        yield f"| {part} | {found['rows']:,} | {found['patients']:,} | {counts} |"


def _outside(families: list[str]) -> str:
    if not families:
        return "No family that the service cannot run ranked better beyond chance."
    return f"Ranked better beyond chance, but not run by the service: {', '.join(families)}."


def _performance(line: Mapping[str, Any]) -> Iterator[str]:
    for name, found in line["classes"].items():
        keys = ("auroc", "auprc", "recall", "expected_over_observed", "calibration_slope")
        yield f"| {name} | " + " | ".join(_interval(found[key]) for key in keys) + " |"


def _against(evaluation: Evaluation) -> str:
    by_name = {line["family"]: line for line in evaluation["leaderboard"]}
    if "in service" not in by_name:
        return "No model was in service to compare it with."
    gap = by_name["in service"]["difference_to_winner"]["auroc"]
    return f"AUROC of the model in service minus this one's, on the same rows: {_interval(gap)}."


def _coverage(line: Mapping[str, Any]) -> Iterator[str]:
    for name, found in line["conformal"]["by_class"].items():
        cells = "- | -" if found["coverage"] is None else f"{found['coverage']:.0%} | {found['size']:.1f}"
        yield f"| {name} | {found['rows']} | {cells} |"


def _workload(evaluation: Evaluation) -> Iterator[str]:
    for name, chart in evaluation["charts"].items():
        for found in chart["workload"]:
            if found["flags_per_100"] in (5, 10, 20):
                yield (
                    f"| {name} | {found['flags_per_100']:.0f} | {found['threshold']:.1%} | {found['false_share']:.0%} "
                    f"| {found['found']:.0%} |"
                )


def _subgroups(evaluation: Evaluation) -> Iterator[str]:
    for group, found in evaluation["subgroups"].items():
        for name, one in found["classes"].items():
            cells = " | ".join(_interval(one[key]) for key in ("auroc", "expected_over_observed"))
            yield f"| {group} | {name} | {one['cases']} | {cells} |"


def _interval(found: Mapping[str, float | None]) -> str:
    if found["value"] is None:
        return "-"
    bounds = [found["low"], found["high"]]
    return f"{found['value']:.3f}" + ("" if None in bounds else f" ({bounds[0]:.3f} to {bounds[1]:.3f})")
