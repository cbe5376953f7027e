"""The servers compared: the service, the bare floor and the naive design, each started the way `cds serve` is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import free_port, server

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Running:
    """A server that listens: its process id and port."""

    pid: int
    port: int


@contextmanager
def service(directory: Path, **settings: str) -> Iterator[Running]:
    """`cds serve` over a fresh, migrated database in `directory`."""
    port = free_port()
    env = {
        "CDS_CLIENT_AUTH": "off",
        "CDS_HTTP_BIND": f"127.0.0.1:{port}",
        "CDS_DATABASE_URL": f"sqlite:///{directory}/cds.db",
        "CDS_MODELS_DIR": str(_ROOT / "models"),
        "CDS_LOG_FILE": str(directory / "service.log"),
        **settings,
    }
    command = [sys.executable, "-m", "cds_service.cli"]
    with server([*command, "serve", "--migrate"], port, env, directory / "output.log") as process:
        yield Running(process.pid, port)


@contextmanager
def factory(target: str, directory: Path, **env: str) -> Iterator[Running]:
    """Any Flask factory behind the same server and adapter as the service."""
    port = free_port()
    code = f"from cds_service.web.serving import serve_factory; serve_factory({target!r}, '127.0.0.1:{port}')"
    with server([sys.executable, "-c", code], port, env, directory / "output.log") as process:
        yield Running(process.pid, port)
