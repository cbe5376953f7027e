"""The servers compared: the service, the bare floor and the naive design, each behind the same HTTP server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import free_port, server

ROOT = Path(__file__).parents[1]
_CDS = (sys.executable, "-m", "cds_service.cli")
_GATEWAY = """
from {module} import create
from cds_service.web.gateway import Gateway
from cds_service.web.serving import serve_gateway

def load():
    return Gateway(lambda: (create().wsgi_app, lambda: None), max_body_bytes=1 << 20)

serve_gateway(load, ("127.0.0.1", {port}))
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that listens: its process, which may have children, and port."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def pid(self) -> int:
        """The id of the process that was started."""
        return self.process.pid


def settings(directory: Path, port: int, **more: str) -> dict[str, str]:
    """The environment of a service whose files are in `directory`."""
    return {
        "CDS_CLIENT_AUTH": "off",
        "CDS_HTTP_BIND": f"127.0.0.1:{port}",
        "CDS_DATABASE_URL": f"sqlite:///{directory}/cds.db",
        "CDS_MODELS_DIR": str(ROOT / "models"),
        "CDS_LOG_FILE": str(directory / "service.log"),
        **more,
    }


@contextmanager
def service(directory: Path, **more: str) -> Iterator[Running]:
    """`cds serve` over the database in `directory`, or the one more settings name, migrated first."""
    migrate(directory, **more)
    with served(directory, **more) as process:
        yield process


def migrate(directory: Path, **more: str) -> None:
    """Run `cds migrate` on the database in `directory`, or on the one more settings name."""
    env = {**os.environ, **settings(directory, 1, **more)}
    subprocess.run([*_CDS, "migrate"], env=env, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)


@contextmanager
def served(directory: Path, **more: str) -> Iterator[Running]:
    """`cds serve` over the database in `directory` as it is."""
    port = free_port()
    with server([*_CDS, "serve"], port, settings(directory, port, **more), directory / "output.log") as process:
        yield Running(process, port)


@contextmanager
def application(module: str, directory: Path, **env: str) -> Iterator[Running]:
    """The Flask application of `module.create()` behind the service's own HTTP server."""
    port = free_port()
    code = _GATEWAY.format(module=module, port=port)
    with server([sys.executable, "-c", code], port, env, directory / "output.log") as process:
        yield Running(process, port)
