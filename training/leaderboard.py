"""The run on a terminal: its progress, and the leaderboard when it is done."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from training.candidates import FAMILIES

_SHOWN = ("auroc", "auprc", "f1", "recall", "brier", "expected_over_observed")


@contextmanager
def progress_on_terminal() -> Iterator[Callable[[str], None]]:
    """A function that shows which family is being fitted; silent where nobody watches."""
    columns = (SpinnerColumn(), TextColumn("{task.completed}/{task.total} {task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        shown = progress.add_task("reading", total=len(FAMILIES) + 1)
        yield lambda text: progress.update(shown, description=text, advance=1)


def leaderboard_on_terminal(version: Path) -> None:
    """Print the leaderboard of a published version, best first."""
    evaluation = json.loads((version / "evaluation.json").read_bytes())
    table = Table("family", "nested", *_SHOWN, title=f"{evaluation['task']} {version.name}")
    for line in evaluation["leaderboard"]:
        table.add_row(*_cells(line), style="bold" if line["served"] else None)
    Console().print(table)


def _cells(line: Mapping[str, Any]) -> list[str]:
    nested = f"{line['nested']['mean']:.3f}" if line["nested"] else ""
    figures = (line["overall"][name]["value"] for name in _SHOWN)
    return [line["family"], nested, *("" if value is None else f"{value:.3f}" for value in figures)]
