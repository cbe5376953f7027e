"""An invented hospital beside a running service of its own: production by its settings, so that its labels count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import cds_service.settings.dataset as dataset
from cds_service.demo.calling import Asked, Caller, ask, tell
from cds_service.demo.visits import Ward, visits
from tests.conftest import Live, environment, live_service, run_cds
from tests.published import models_dir
from tests.storage.builders import eventually

PASSWORD = "correct horse battery"
TENANT = "synthetic-hospital"
ADA = ("--user", "ada", "--reason", "validated on the invented hospital")


@dataclass(frozen=True)
class Hospital:
    """The service, its settings, and the token its invented systems call with."""

    live: Live
    variables: dict[str, str]
    token: str

    def run(self, *words: str) -> CompletedProcess[str]:
        """One command, with Ada's password for whatever asks for one."""
        return run_cds(*words, variables=self.variables, typed=PASSWORD)

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
        with closing(Caller(self.live.port, self.token)) as caller:
            asked = ask(caller, visits(number, ward, seed))
            tell(caller, asked, ward, seed)
            return asked

    def next_version(self, seed: int = 99) -> str:
        """The version that the next prediction names."""
        with closing(Caller(self.live.port, self.token)) as caller:
            [(_, prediction)] = ask(caller, visits(1, Ward(), seed))
            version: str = prediction["model"]["version"]
            return version


def _rules(directory: Path) -> Path:
    """Our own rules of datasets, but labels count at once: what waits for days cannot be tested."""
    lines = (Path(dataset.__file__).with_suffix(".toml")).read_text(encoding="utf-8").splitlines()
    found = [f"{line.partition(' = ')[0]} = 0" if line.endswith((" = 3", " = 7")) else line for line in lines]
    target = directory / "dataset.toml"
    target.write_text("\n".join(found), encoding="utf-8")
    return target


@contextmanager
def hospital(directory: Path) -> Iterator[Hospital]:
    """A service on SQLite with users, a token of the invented hospital, and models of its own."""
    clients = directory / "clients.toml"
    clients.write_text("", encoding="utf-8")
    more = {
        "CDS_CLIENT_AUTH": "required",
        "CDS_CLIENTS_FILE": str(clients),
        "CDS_MODELS_DIR": str(models_dir(directory)),
        "CDS_DATASET_FILE": str(_rules(directory)),
        "CDS_RATE_LIMIT": "1000000",
    }
    with live_service(directory, **more) as live:
        running = Hospital(live, environment(directory, **more), "")
        running.cds("users", "add", "ada", "--tenant", TENANT, "--role", "steward")
        scopes = ("--tenant", TENANT, "--scopes", "predict,read,labels")
        made = running.cds("tokens", "create", "invented", *scopes)
        yield Hospital(live, running.variables, made["token"])
