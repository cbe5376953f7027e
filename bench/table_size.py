"""Whether a call costs the same among ten stored predictions as among a million."""

from __future__ import annotations

import sqlite3
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench import servers
from bench.bodies import hook_requests
from bench.client import run
from bench.processes import cpu_seconds
from bench.report import Figure

_ROUNDS = 6
_CALLS = 1000
_CONNECTIONS = 16
_ROWS = 1_000_000
_BLOB = bytes(40)  # what is stored beside the keys does not change the search; small, so that the fill is quick

# Chosen by us: two interleaved medians of the same server differ by as much here.
_SAME = 1.15


def measure(rows: int = _ROWS) -> list[Figure]:
    """Server CPU per call over a full table, as a ratio to an almost empty one, rounds interleaved."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        homes = [Path(name) / part for part in ("few", "many")]
        costs: list[list[float]] = [[], []]
        running = []
        for home, count in zip(homes, (10, rows), strict=True):
            home.mkdir()
            with servers.service(home):
                pass
            _fill(home / "cds.db", count)
            running.append(stack.enter_context(servers.service(home)))
        for number in range(_ROUNDS):
            for cost, one in zip(costs, running, strict=True):
                cost.append(_cost(one, number))
    few, many = (median(cost[1:]) for cost in costs)
    return [Figure(f"call among {rows:,} predictions / among 10", many / few, "times", at_most=_SAME)]


def _cost(one: servers.Running, number: int) -> float:
    requests = hook_requests(_CALLS, first=number * _CALLS)
    before = cpu_seconds(one.pid)
    result = run(one.port, requests, _CONNECTIONS)
    if result.statuses != {200: _CALLS}:
        raise RuntimeError(f"answered {result.statuses}")
    return (cpu_seconds(one.pid) - before) / _CALLS


def _fill(path: Path, count: int) -> None:
    connection = sqlite3.connect(path)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(predictions)")]
    marks = ",".join("?" * len(columns))
    connection.executemany(
        f"INSERT INTO predictions ({','.join(columns)}) VALUES ({marks})",
        ([row[name] for name in columns] for row in _rows(count)),
    )
    connection.commit()
    connection.close()


def _rows(count: int) -> Iterator[dict[str, object]]:
    fixed: dict[str, object] = {
        "service": "vitals-risk",
        "tenant": "local",
        "environment": "test",
        "hook": "patient-view",
        "model_version": "1.0.0",
        "site_hash": "0" * 64,
        "created_at": "2026-01-01 00:00:00.000000",
        "language": "en",
        "shown": True,
    }
    blobs = dict.fromkeys(("request_hash", "reply", "snapshot", "outcome"), _BLOB)
    for number in range(count):
        key = uuid.UUID(int=number << 80 | 0x7 << 76 | 0b10 << 62)
        yield (
            fixed
            | blobs
            | {
                "id": key.hex,
                "hook_instance": str(uuid.UUID(int=number << 64 | number)),
                "patient_key": f"{number % 50_000:032x}",
            }
        )
