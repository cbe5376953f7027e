"""A service of its own for an invented hospital: scratch directory, database, people, the service as a child."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from cds_service.demo.bound import Bound
from cds_service.domain.dataset import CLASSES
from cds_service.errors import Unavailable
from cds_service.services.credentials import MadeToken, hash_password, make_token
from cds_service.services.train import HOME
from cds_service.settings import Settings
from cds_service.settings.dataset import OURS
from cds_service.storage import schema
from cds_service.storage.identity import Keyring
from cds_service.storage.people import TokenRow, UserRow, add_token, add_user
from cds_service.storage.sessions import open_engine
from cds_service.storage.writer import GroupWriter

# The name of the tenant marks every row of it as made up (domain/actor.py).
TENANT = "synthetic-hospital"
PEOPLE = {"demo-clinician": "clinician", "demo-steward": "steward", "demo-admin": "admin"}
STEWARD = "demo-steward"
# Rules of datasets that are 0 in a rehearsal: days until a label of each class counts, and who is kept from training.
_NONE = {"holdout_share", *chain(*CLASSES.values())}
_SCOPES = "hooks feedback predict read labels"

# A comparison cut down to a minute: fewer folds, smaller families, one option of each kind.
QUICK = (
    ("outer_folds = 3", "outer_folds = 2"),
    ("choice_rows = 6000", "choice_rows = 500"),
    ("resamples = 200", "resamples = 30"),
    ("n_estimators = 120", "n_estimators = 20"),
    ("rounds = 120", "rounds = 40"),
    ("nthread = 2", "nthread = 1"),
    ("epochs = 30", "epochs = 8"),
    ("components = 120", "components = 20"),
    ('steps = ["pressures", "shock-index", "logs", "pca", "lda"]', 'steps = ["shock-index"]'),
    ('tried = ["class-weights", "oversampling", "smote"]', 'tried = ["smote"]'),
)


@dataclass(frozen=True)
class Hospital:
    """The service as it runs: where, with which settings, and what its invented systems call with."""

    directory: Path
    http_port: int
    mllp_port: int
    variables: Mapping[str, str]
    bound: Bound
    password: str = field(repr=False)
    token: str = field(repr=False)

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://127.0.0.1:{self.http_port}"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One `cds` command on this hospital to its end, with the password for whatever asks for one.

        Unavailable when the rehearsal's time is over before the command is.
        """
        try:
            return subprocess.run(  # noqa: S603 - our own interpreter and module, arguments as a list
                _words(*words),
                cwd=HOME,
                env=_environment(self.variables),
                input=f"{self.password}\n",
                capture_output=True,
                text=True,
                check=False,
                timeout=self.bound.left_s(),
            )
        except subprocess.TimeoutExpired:
            raise self.bound.is_over() from None

    def command(self, *words: str) -> dict[str, Any]:
        """What a `cds` command answers last; Unavailable, with its own words, where it says no."""
        done = self.run(*words, "--json")
        if done.returncode:
            raise Unavailable(done.stderr.strip().rpartition("\n")[2], where=" ".join(("cds", *words[:2])))
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer


@contextmanager
def hospital(
    directory: Path, *, http_port: int = 0, mllp_port: int = 0, models: Path, within_s: float
) -> Iterator[Hospital]:
    """A database with PEOPLE, and the service on it until the block ends; nothing is outside `directory`.

    What is done with it may take `within_s` from now.
    """
    bound = Bound(within_s)
    directory.mkdir(parents=True, exist_ok=True)
    ports = http_port or _free_port(), mllp_port or _free_port()
    variables = _settings(directory, models, *ports)
    password, token = secrets.token_urlsafe(15), make_token()
    _admit(Settings.from_environment(variables), password, token)
    made = Hospital(directory, *ports, variables, bound, password, token.text)
    with _service(made):
        yield made


def quick_parameters(directory: Path) -> Path:
    """A file of the parameters of training, cut down to a minute."""
    text = (HOME / "training" / "params.toml").read_text(encoding="utf-8")
    for whole, cut in QUICK:
        if whole not in text:
            raise Unavailable(f"has no {whole!r} any more", where="training/params.toml")
        text = text.replace(whole, cut)
    target = directory / "params.toml"
    target.write_text(text, encoding="utf-8")
    return target


def rules_of_a_rehearsal(directory: Path) -> Path:
    """Our own rules of datasets, but labels count at once: what waits for days cannot be shown in minutes.

    No patient is kept from training: who that is depends on the key, and two rehearsals shall end the same.
    """
    lines = OURS.read_text(encoding="utf-8").splitlines()
    named = [(line.partition(" = ")[0], line) for line in lines]
    found = [f"{name} = 0" if name in _NONE else line for name, line in named]
    target = directory / "dataset.toml"
    target.write_text("\n".join(found), encoding="utf-8")
    return target


def models_of_its_own(directory: Path, published: Path) -> Path:
    """A directory of the published models that versions may be added to."""
    target = directory / "models"
    for task in ("codes", "risk"):
        shutil.copytree(published / task, target / task)
    (target / "rare").symlink_to((published / "rare").resolve())
    return target


def _admit(settings: Settings, password: str, token: MadeToken) -> None:
    """Make the database, PEOPLE with this password, and the token of the hospital's systems."""
    schema.migrate(settings.database_url)
    engine = open_engine(settings.database_url)
    writer = GroupWriter(engine, Keyring(settings.secret_key))
    at, one_hash = datetime.now(UTC), hash_password(password)
    whose: dict[str, Any] = {
        "tenant": TENANT,
        "environment": "production",
        "created_at": at,
        "created_by": "command:demo",
    }
    try:
        for name, role in PEOPLE.items():
            writer.submit_change(add_user(UserRow(name=name, role=role, password_hash=one_hash, **whose)))
        row = TokenRow(
            id=token.id,
            secret_hash=token.secret_hash,
            name="invented-ehr",
            user_name=None,
            scopes=_SCOPES,
            expires_at=at + timedelta(days=30),
            **whose,
        )
        writer.submit_change(add_token(row))
    finally:
        writer.drain()
        engine.dispose()


def _settings(directory: Path, models: Path, http_port: int, mllp_port: int) -> dict[str, str]:
    clients = directory / "clients.toml"
    clients.write_text(
        f'[mllp.peer.invented-monitor]\naddress = "127.0.0.1"\ntenant = "{TENANT}"\nenvironment = "production"\n',
        encoding="utf-8",
    )
    return {
        "CDS_DATABASE_URL": f"sqlite:///{directory}/cds.db",
        "CDS_HTTP_BIND": f"127.0.0.1:{http_port}",
        "CDS_MLLP_BIND": f"127.0.0.1:{mllp_port}",
        "CDS_MODELS_DIR": str(models_of_its_own(directory, models)),
        "CDS_DATASET_FILE": str(rules_of_a_rehearsal(directory)),
        "CDS_CLIENTS_FILE": str(clients),
        "CDS_LOG_FILE": str(directory / "log.jsonl"),
        "CDS_SECRET_KEY": secrets.token_hex(32),
        "CDS_RATE_LIMIT": "1000000",
    }


@contextmanager
def _service(made: Hospital) -> Iterator[None]:
    """`cds serve` as a child until the block ends, and no longer."""
    with (made.directory / "output.txt").open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, arguments as a list
            _words("serve"), cwd=HOME, env=_environment(made.variables), stdout=output, stderr=output
        )
    try:
        _wait_for((made.http_port, made.mllp_port), process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(ports: tuple[int, ...], process: subprocess.Popen[bytes], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    waiting = list(ports)
    while waiting:
        if process.poll() is not None or time.monotonic() > deadline:
            raise Unavailable("did not start; output.txt beside its database says why", where="cds serve")
        try:
            socket.create_connection(("127.0.0.1", waiting[0]), timeout=1).close()
            waiting.pop(0)
        except OSError:
            time.sleep(0.05)


def _words(*words: str) -> list[str]:
    return [sys.executable, "-m", "cds_service.cli", *words]


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """This process's own environment without any settings of another service."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CDS_")} | dict(variables)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
