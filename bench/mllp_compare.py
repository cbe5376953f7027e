"""Server CPU of an MLLP message by another copy of this tree and by this one: `python -m bench.mllp_compare DIRECTORY`.

Both run at once and take messages in turns, so that what else the machine does falls on both alike.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench.mllp import OURS, running, send_all
from bench.processes import cpu_seconds, free_port

_ROOT = Path(__file__).parents[1]
_ROUNDS = 12  # the first is not counted
_MESSAGES = 500


def main(other: Path) -> None:
    """Print µs a message of both, and the median ratio of the rounds."""
    costs: dict[str, list[float]] = {"other": [], "this": []}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        servers: dict[str, tuple[int, int]] = {}
        for part, tree in (("other", other), ("this", _ROOT)):
            home, port = Path(name) / part, free_port()
            home.mkdir()
            # The safe path keeps the working directory, which is this tree, out of the module search.
            own = {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(tree.resolve())}
            servers[part] = stack.enter_context(running(OURS.name, port, home, **own)).pid, port
        for number in range(_ROUNDS):
            for part in sorted(servers, reverse=number % 2 == 1):
                pid, port = servers[part]
                before = cpu_seconds(pid)
                send_all(OURS, port, messages=_MESSAGES)
                costs[part].append((cpu_seconds(pid) - before) / _MESSAGES)
    for part, found in costs.items():
        print(f"{part:<6} {median(found[1:]) * 1e6:7.0f} µs a message")
    ratios = [this / before for before, this in zip(costs["other"][1:], costs["this"][1:], strict=True)]
    print(f"this / other {median(ratios):5.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
