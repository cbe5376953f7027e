"""Promotions and rollbacks of a service under load over real sockets: no call fails, and memory comes back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import pytest

from bench.client import Connection
from bench.processes import memory_mib
from tests.conftest import Live, environment, live_service, run_cds
from tests.databases import KINDS, Database, a_database
from tests.published import models_dir, publish
from tests.registry.conftest import ADA, PASSWORD, REASON
from tests.storage.builders import eventually

GET = b"GET /predict?age=71&sex=male&heart_rate=128&encounter_class=EMER HTTP/1.1\r\nHost: x\r\n\r\n"
READY = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
CALLERS = 3
# A worker of the service has about 180 MiB; a version of the model about 4. A leak of one a switch would show.
SWITCHES, GROWTH_MIB = 8, 16.0


@dataclass
class Seen:
    """What callers were answered: statuses, and each version with the number it gave."""

    statuses: Counter[int] = field(default_factory=Counter)
    answers: Counter[tuple[str, float]] = field(default_factory=Counter)


@contextmanager
def calling(port: int, seen: Seen) -> Iterator[None]:
    """Callers that ask one after the other, on connections of their own, until the block ends."""
    done = Event()

    def call() -> None:
        with closing(Connection(port)) as connection:
            while not done.is_set():
                status, body = connection.call(GET)
                seen.statuses[status] += 1
                if status == 200:
                    document = json.loads(body)
                    seen.answers[document["model"]["version"], document["risk"]["probability"]] += 1

    callers = [Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        done.set()
        for caller in callers:
            caller.join(30)


@dataclass(frozen=True)
class Hospital:
    """A running service, and how its commands are run."""

    live: Live
    variables: dict[str, str]

    def decide(self, *words: str) -> None:
        done = run_cds(*words, *ADA, *REASON, variables=self.variables, typed=PASSWORD)
        assert (done.returncode, done.stderr) == (0, "")

    def answers(self, version: str) -> bool:
        """Whether every worker that is met names this version; new connections meet any of them."""
        return all(self._ready() == version for _ in range(8))

    def _ready(self) -> str:
        with closing(Connection(self.live.port)) as connection:
            found: str = json.loads(connection.call(READY)[1])["models"]["risk"]
            return found


@pytest.fixture(params=KINDS)
def hospital(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hospital]:
    """SQLite with its one worker, PostgreSQL with two."""
    models = models_dir(tmp_path)
    publish(models, "1.1.0", shift=1.0)
    with a_database(request, tmp_path) as database:
        more = {**database.settings, "CDS_MODELS_DIR": str(models), **_workers(database)}
        with live_service(tmp_path, **more) as live:
            variables = environment(tmp_path, **more)
            who = ("users", "add", "ada", "--tenant", "north", "--role", "steward")
            assert run_cds(*who, variables=variables, typed=PASSWORD).returncode == 0
            yield Hospital(live, variables)


def _workers(database: Database) -> dict[str, str]:
    return {"CDS_WORKERS": "2"} if database.kind == "postgresql" else {}


def test_no_call_fails_while_versions_come_and_go_and_each_answer_is_of_the_version_it_names(
    hospital: Hospital,
) -> None:
    seen = Seen()

    with calling(hospital.live.port, seen):
        for _ in range(2):
            hospital.decide("promote", "risk", "1.1.0")
            assert eventually(lambda: hospital.answers("1.1.0"))
            hospital.decide("rollback", "risk")
            assert eventually(lambda: hospital.answers("1.0.0"))

    assert set(seen.statuses) == {200}
    assert sorted(version for version, _ in seen.answers) == ["1.0.0", "1.1.0"]


@pytest.mark.slow
@pytest.mark.parametrize("hospital", ["sqlite"], indirect=True)
def test_memory_comes_back_after_each_switch(hospital: Hospital) -> None:
    def switch() -> float:
        hospital.decide("promote", "risk", "1.1.0")
        assert eventually(lambda: hospital.answers("1.1.0"))
        hospital.decide("rollback", "risk")
        assert eventually(lambda: hospital.answers("1.0.0"))
        return max(memory_mib(hospital.live.process.pid))

    before = switch()
    after = [switch() for _ in range(SWITCHES // 2)]

    assert after[-1] - before < GROWTH_MIB, (before, after)
