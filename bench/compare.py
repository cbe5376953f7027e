"""Server CPU of a full call by another copy of this tree and by this one: `python -m bench.compare DIRECTORY`.

Both run beside the bare Flask view in one run, in turns, so that what else the machine does falls on all alike.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench import servers
from bench.bodies import hook_requests
from bench.client import run
from bench.processes import cpu_seconds

_ROOT = Path(__file__).parents[1]
_ROUNDS = 6
_CALLS = 600
_CONNECTIONS = 16


def main(other: Path) -> None:
    """Print µs a call and the median ratio to the bare view of the same round."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        homes = {part: Path(name) / part for part in ("bare", "other", "this")}
        for home in homes.values():
            home.mkdir()
        running = {"bare": stack.enter_context(servers.application("bench.bare", homes["bare"]))}
        for part, tree in (("other", other), ("this", _ROOT)):
            # The safe path keeps the working directory, which is this tree, out of the module search.
            own = {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(tree.resolve())}
            running[part] = stack.enter_context(servers.service(homes[part], **own))
        costs: dict[str, list[float]] = {part: [] for part in running}
        for number in range(_ROUNDS):
            for part, one in running.items():
                costs[part].append(_cost(part, one, number))
    for part, found in costs.items():
        ratio = median(cost / bare for cost, bare in zip(found[1:], costs["bare"][1:], strict=True))
        print(f"{part:<6} {median(found[1:]) * 1e6:7.0f} µs a call, {ratio:5.2f} times the bare view")


def _cost(part: str, one: servers.Running, number: int) -> float:
    path = "/bare" if part == "bare" else "/cds-services/vitals-risk"
    requests = hook_requests(_CALLS, first=number * _CALLS, path=path)
    before = cpu_seconds(one.pid)
    result = run(one.port, requests, _CONNECTIONS)
    if result.statuses != {200: _CALLS}:
        raise RuntimeError(f"{part} answered {result.statuses}")
    return (cpu_seconds(one.pid) - before) / _CALLS


if __name__ == "__main__":
    main(Path(sys.argv[1]))
