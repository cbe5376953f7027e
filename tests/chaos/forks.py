"""Processes that are meant to be killed, forked from one that has imported what they run: no import for each.

`python -m tests.chaos.forks MODULE` reads lines of JSON, the arguments of `MODULE.main`. For each it forks a child,
which first prints its process id, and prints an empty line once the child has ended.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

_ROOT = Path(__file__).parents[2]
_PATIENCE_S = 30.0


class Forks:
    """Children one after the other, by what they are started with and what they print."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self._arguments, self._printed = process.stdin, process.stdout

    def start(self, *arguments: str) -> int:
        """The process id of a child that begins to run with these arguments."""
        print(json.dumps(arguments), file=self._arguments, flush=True)
        return int(self.line())

    def line(self) -> str:
        """The next line the child printed, empty once it has ended."""
        return self._printed.readline().rstrip("\n")

    def rest(self) -> list[str]:
        """What the child printed since; waits for its end."""
        return list(iter(self.line, ""))


def assignments(variables: Mapping[str, str]) -> list[str]:
    """Variables of an environment as arguments: NAME=VALUE."""
    return [f"{name}={value}" for name, value in variables.items()]


def settings(arguments: Sequence[str]) -> dict[str, str]:
    """What `assignments` were made of."""
    return {name: value for name, _, value in (argument.partition("=") for argument in arguments)}


@contextmanager
def forks_of(module: str) -> Iterator[Forks]:
    """Forks of a process that has imported the module, until the block ends."""
    command = [sys.executable, "-m", "tests.chaos.forks", module]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=_ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        yield Forks(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(_PATIENCE_S) == 0


def _fork_for_each_line(module: ModuleType) -> None:
    for line in sys.stdin:
        child = os.fork()
        if not child:
            print(os.getpid(), flush=True)
            module.main(*json.loads(line))
            sys.exit()
        os.waitpid(child, 0)
        print(flush=True)


if __name__ == "__main__":
    _fork_for_each_line(import_module(sys.argv[1]))
