"""A training is a process of its own that reads a dataset and publishes a version: the service never imports it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from cds_service.errors import ConfigurationError

# Where the package of training is: beside ours in a checkout.
HOME = Path(__file__).resolve().parents[2]
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_FIRST = "1.0.0"
# How often whoever waits for a training is called back; chosen by us, well within a lease.
_EVERY_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One comparison: on which data, for which task, against which version in service, asked for by whom.

    `options` are handed on as they are, one that is only named with an empty text. `quiet` leaves what it prints out
    of ours.
    """

    task: str
    data: Path
    models_dir: Path
    champion: str | None
    trainer: str
    options: Mapping[str, str] = field(default_factory=dict)
    quiet: bool = False

    @property
    def version(self) -> str:
        """The version it would publish: the minor number after the champion's, and after every published one."""
        return next_version(self.champion, [path.name for path in self._home.glob("*") if path.is_dir()])

    @property
    def _home(self) -> Path:
        return self.models_dir.resolve() / self.task

    def command(self, version: str) -> list[str]:
        """The command that publishes the version."""
        champion = [] if self.champion is None else ["--champion", str(self._home / self.champion)]
        options = [text for name, value in self.options.items() for text in (f"--{name}", value) if text]
        data, out = str(self.data.resolve()), str(self._home / version)
        fixed = ["--data", data, "--out", out, "--trainer", self.trainer]
        return [sys.executable, "-m", "training", "compare", self.task, *fixed, *champion, *options]


def next_version(champion: str | None, published: Sequence[str]) -> str:
    """The name of the next version: never one that is there."""
    known = published if champion is None else [*published, champion]
    numbers = [tuple(map(int, match.groups())) for name in known if (match := _VERSION.fullmatch(name))]
    if not numbers:
        return _FIRST
    major, minor, _ = max(numbers)
    return f"{major}.{minor + 1}.0"


def run_training(training: Training, version: str, *, waiting: Callable[[], None] = lambda: None) -> int:
    """Exit code of the training: 0 published, 1 refused, 2 usage. `waiting` is called now and then meanwhile.

    It gets none of the service's settings. Whatever ends the waiting ends the training.
    """
    if not (HOME / "training").is_dir():
        raise ConfigurationError("is not here: train in a checkout with the extra `train` installed", where="training")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    output = subprocess.DEVNULL if training.quiet else None
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, arguments as a list
        training.command(version), cwd=HOME, env=environment, stdin=subprocess.DEVNULL, stdout=output
    )
    try:
        while True:
            try:
                return process.wait(timeout=_EVERY_S)
            except subprocess.TimeoutExpired:
                waiting()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def read_gate(models_dir: Path, task: str, version: str) -> str:
    """What the gate says of a published version; ConfigurationError where it says nothing."""
    path = models_dir / task / version / "gate.json"
    try:
        return str(msgspec.json.decode(path.read_bytes())["verdict"])
    except (OSError, msgspec.DecodeError, KeyError, TypeError):
        raise ConfigurationError("holds no verdict", where=str(path)) from None
