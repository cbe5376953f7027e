"""Every bench, one table: `python -m bench [NAME ...]`. Exit 1 when a bound is not kept."""

from __future__ import annotations

import sys
from collections.abc import Callable

from bench import (
    dashboard,
    export_labels,
    full_call,
    gate,
    group_commit,
    hl7_reader,
    mllp,
    pages,
    rare_speed,
    startup,
    table_size,
)
from bench.report import Figure, lines

BENCHES: dict[str, Callable[[], list[Figure]]] = {
    "dashboard": dashboard.measure,
    "export": export_labels.measure,
    "full-call": full_call.measure,
    "gate": gate.measure,
    "group-commit": group_commit.measure,
    "hl7-reader": hl7_reader.measure,
    "mllp": mllp.measure,
    "pages": pages.measure,
    "rare-speed": rare_speed.measure,
    "startup": startup.measure,
    "table-size": table_size.measure,
}


def main(names: list[str]) -> int:
    """Run the named benches, or all."""
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"no such bench: {', '.join(unknown)}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for name in names or BENCHES:
        found = BENCHES[name]()
        figures += found
        print("\n".join(lines(found)), flush=True)
    return 0 if all(figure.is_met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
