"""An invented hospital beside a running service of its own: production by its settings, so that its labels count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from cds_service.demo import hospital as demo
from cds_service.demo.calling import Asked, Caller, ask, tell
from cds_service.demo.visits import Ward, visits
from tests.conftest import REPOSITORY
from tests.storage.builders import eventually

# A busy machine is waited for, a stuck one not. What a rehearsal costs is counted in processor time.
LONGEST_S = 1200

ADA = ("--user", demo.STEWARD, "--reason", "validated on the invented hospital")


@dataclass(frozen=True)
class Hospital:
    """The hospital of `cds demo`, for rehearsals of other kinds."""

    made: demo.Hospital

    def run(self, *words: str) -> CompletedProcess[str]:
        """One command, with the steward's password for whatever asks for one."""
        return self.made.run(*words)

    def lines(self, *words: str) -> list[str]:
        """What a command that succeeds answers, one JSON object a line."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def cds(self, *words: str) -> dict[str, Any]:
        """What a command that succeeds answers last."""
        found: dict[str, Any] = json.loads(self.lines(*words)[-1])
        return found

    def follows(self, version: str) -> bool:
        """Whether the next cards come to name the version."""
        return eventually(lambda: self.next_version() == version)

    def lives(self, number: int, ward: Ward, seed: int) -> list[Asked]:
        """So many visits are predicted, then what became of them is told, as far as it ever is."""
        with closing(Caller(self.made.http_port, self.made.token)) as caller:
            asked = ask(caller, visits(number, ward, seed))
            tell(caller, asked, ward, seed)
            return asked

    def next_version(self, seed: int = 99) -> str:
        """The version that the next prediction names."""
        with closing(Caller(self.made.http_port, self.made.token)) as caller:
            [(_, prediction)] = ask(caller, visits(1, Ward(), seed))
            version: str = prediction["model"]["version"]
            return version


@contextmanager
def hospital(directory: Path) -> Iterator[Hospital]:
    """The service on SQLite with users, a token of the invented hospital, and models of its own."""
    with demo.hospital(directory, models=REPOSITORY / "models", within_s=LONGEST_S) as made:
        yield Hospital(made)
    written = (directory / "log.jsonl").read_text(encoding="utf-8") + (directory / "output.txt").read_text("utf-8")
    assert [word for word in ("invented-1", "Muestra", "Ficticio", "Traceback") if word in written] == []
