"""CPU seconds of the whole process tree from `cds serve` to the first answer of /readyz."""

from __future__ import annotations

import tempfile
import time
from compileall import compile_dir
from pathlib import Path
from statistics import median
from urllib.error import URLError
from urllib.request import urlopen

from bench import servers
from bench.processes import cpu_seconds
from bench.report import Figure

_STARTS = 5


def measure() -> list[Figure]:
    """Median of several starts of compiled bytecode, as an installation leaves it; the first is not counted."""
    compile_dir(servers.ROOT / "cds_service", quiet=1)  # where PYTHONDONTWRITEBYTECODE is set no start would leave it
    found = [_start() for _ in range(_STARTS + 1)][1:]
    return [Figure("start of `cds serve`, CPU until ready", median(found), "s", at_most=1.0)]


def _start() -> float:
    with tempfile.TemporaryDirectory() as name, servers.service(Path(name)) as one:
        while not _is_ready(one.port):
            time.sleep(0.01)
        return cpu_seconds(one.pid)


def _is_ready(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except URLError:
        return False
