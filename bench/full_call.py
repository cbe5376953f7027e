"""Server CPU of one full hook call, as a ratio to a bare Flask view on the same server, and to the naive design."""

from __future__ import annotations

import secrets
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from bench import servers
from bench.bodies import hook_requests
from bench.client import HOST, run
from bench.postgres import NoPostgres, postgres
from bench.processes import cpu_seconds, memory_mib
from bench.report import Figure
from bench.tokens import Client

_ROOT = Path(__file__).parents[1]
_ROUNDS = 5
_CALLS = 2000
_CONNECTIONS = 16


def measure(calls: int = _CALLS) -> list[Figure]:
    """Median over interleaved rounds, so that what else the machine does falls on all alike."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        homes = {part: directory / part for part in ("full", "strict", "signed", "bare", "naive", "postgres")}
        for home in homes.values():
            home.mkdir()
        client = Client(homes["signed"])
        running = {
            "bare": stack.enter_context(servers.application("bench.bare", homes["bare"])),
            "full": stack.enter_context(servers.service(homes["full"])),
            "strict": stack.enter_context(servers.service(homes["strict"], CDS_FHIR_VALIDATION="strict")),
            "signed": stack.enter_context(servers.service(homes["signed"], **client.settings())),
            "naive": stack.enter_context(
                servers.application(
                    "bench.naive",
                    homes["naive"],
                    BENCH_DATABASE=str(homes["naive"] / "naive.db"),
                    BENCH_MODEL=str(_ROOT / "models" / "risk" / "1.0.0" / "full.ubj"),
                )
            ),
        }
        if (one := _on_postgres(stack, homes["postgres"])) is not None:
            running["postgres"] = one
        costs: dict[str, list[float]] = {part: [] for part in running}
        for number in range(_ROUNDS):
            for part, one in running.items():
                signer = client if part == "signed" else None
                costs[part].append(_cost(part, one, number, calls, signer))
        memory = max(memory_mib(running["full"].pid))
    cpu = {part: median(found[1:]) for part, found in costs.items()}
    compared = {"signed": "with a signed token", "postgres": "on PostgreSQL"}
    return [
        Figure("bare Flask view, server CPU per call", cpu["bare"] * 1e6, "µs"),
        Figure("full call, server CPU per call", cpu["full"] * 1e6, "µs"),
        Figure("full call / bare view", cpu["full"] / cpu["bare"], "times", at_most=4.0),
        Figure("strict mode / bare view", cpu["strict"] / cpu["bare"], "times", at_most=12.0),
        Figure("naive design / full call", cpu["naive"] / cpu["full"], "times", at_least=12.0),
        Figure("worker memory under load", memory, "MiB", at_most=150.0),
        *(
            Figure(f"full call {said} / without, on SQLite", cpu[part] / cpu["full"], "times")
            for part, said in compared.items()
            if part in cpu
        ),
    ]


def _on_postgres(stack: ExitStack, home: Path) -> servers.Running | None:
    """The service on a PostgreSQL of its own, whose work is not counted; None where none can be started."""
    try:
        database = stack.enter_context(postgres())
    except NoPostgres as error:
        print(f"full-call: not measured on PostgreSQL: {error}", file=sys.stderr)
        return None
    settings = {"CDS_DATABASE_URL": database.url(database.create()), "CDS_SECRET_KEY": secrets.token_hex(32)}
    return stack.enter_context(servers.service(home, **settings))


def _cost(part: str, one: servers.Running, number: int, calls: int, client: Client | None) -> float:
    """Server CPU seconds per answered call of one round; every call must be answered with 200."""
    calls = calls // 10 if part == "naive" else calls
    path = {"bare": "/bare", "naive": "/naive"}.get(part, "/cds-services/vitals-risk")
    address = f"http://{HOST}:{one.port}{path}"
    headers = dict if client is None else partial(client.headers, address)
    requests = hook_requests(calls, first=number * calls, path=path, headers=headers)
    before = cpu_seconds(one.pid)
    result = run(one.port, requests, _CONNECTIONS)
    used = cpu_seconds(one.pid) - before
    if result.statuses != {200: calls}:
        raise RuntimeError(f"{part} answered {result.statuses}")
    return used / calls
