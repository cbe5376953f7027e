"""`cds serve` in a process group of its own; meant to be killed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cds_service.cli import main as cds
from cds_service.cli import operate as operate  # imported before the fork
from tests.chaos.forks import settings


def main(log: str, *variables: str) -> None:
    os.setsid()
    with Path(log).open("ab") as out:
        for stream in (1, 2):
            os.dup2(out.fileno(), stream)
    os.environ.update(settings(variables))
    sys.exit(cds(["serve"]))
