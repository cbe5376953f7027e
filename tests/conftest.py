"""The service as tests see it: a migrated database and a runtime of their own, the model loaded once, a clock held."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from bench.postgres import NoPostgres, Postgres, postgres
from bench.processes import free_port, server
from cds_service import logs
from cds_service.app import create_app
from cds_service.cli import main
from cds_service.domain.codes import CodeTables
from cds_service.domain.decision import VersionId
from cds_service.inference.codes import load_code_tables
from cds_service.inference.predictor import Predictor, load_predictor
from cds_service.inference.served import Model, load_model
from cds_service.runtime import Runtime
from cds_service.services.models import Loader, Models, Serving
from cds_service.settings import Settings
from cds_service.storage.identity import Keyring
from cds_service.storage.schema import migrate
from cds_service.storage.sessions import open_engine
from cds_service.storage.writer import GroupWriter
from tests.databases import KINDS, SECRET, Database, a_database
from tests.leaks import pytest_sessionfinish as pytest_sessionfinish

REPOSITORY = Path(__file__).parents[1]
NOW = datetime(2026, 3, 14, 8, 40, tzinfo=UTC)  # the readings of fixtures/hooks are 15 minutes old
PUBLIC_URL = "https://cds.example.org/base"
ORIGIN = "https://ehr.example.org"
# What the patient of fixtures/hooks could be known by, and a reading of theirs: none of it belongs in a log.
PATIENT_DATA = (
    "Ferrer",
    "Tom\\u00e1s",
    "Tomás",
    "1288992",
    "1954-11-02",
    "Shortness of breath",
    "Observation/",
    "breaths",
)

# What an example takes hangs on what else the machine does.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")

compile_route = Rule._compile_builder


@cache
def _compiled(rule: str, trace: tuple[object, ...], defaults: str, append_unknown: bool) -> Any:
    return compile_route(_ROUTES[rule, trace, defaults], append_unknown)


_ROUTES: dict[tuple[object, ...], Rule] = {}


def _compile_once(rule: Rule, append_unknown: bool = True) -> Any:
    """What a route compiles to: the same for every application, and a third of what making one costs."""
    key = (rule.rule, tuple(rule._trace), repr(rule.defaults))
    _ROUTES.setdefault(key, rule)
    return _compiled(*key, append_unknown)


Rule._compile_builder = _compile_once  # type: ignore[method-assign]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, half of them for each half of the list: workers begin with them, and none ends with one."""
    slow, quick = (
        [item for item in items if bool(item.get_closest_marker("slow")) is wanted] for wanted in (True, False)
    )
    half = len(quick) // 2
    items[:] = [*slow[::2], *quick[:half], *slow[1::2], *quick[half:]]


@dataclass
class Clock:
    """The moment the service believes it is."""

    moment: datetime = NOW


@dataclass(frozen=True, repr=False)
class Service:
    """One started service: its runtime, its application, and where its database and log are."""

    runtime: Runtime
    app: Flask
    database: Path
    log: Path

    def __repr__(self) -> str:
        """Short: the tables a runtime holds would fill a failure's report."""
        return f"Service({self.database.name})"

    @property
    def stored(self) -> Database:
        """Where it stores, to look behind its back."""
        url = self.runtime.settings.database_url
        return Database(url.partition(":")[0].partition("+")[0], url, self.database.parent)

    @property
    def client(self) -> FlaskClient:
        """A client of its own: Flask's test client is not for several threads."""
        return self.app.test_client()


def environment(directory: Path, **more: str) -> dict[str, str]:
    """The settings of a service in `directory`, on loopback and open to it."""
    return {
        "CDS_DATABASE_URL": f"sqlite:///{directory}/cds.db",
        "CDS_CLIENT_AUTH": "off",
        "CDS_SECRET_KEY": SECRET,
        "CDS_PUBLIC_URL": PUBLIC_URL,
        "CDS_CORS_ORIGINS": ORIGIN,
        "CDS_MODELS_DIR": str(REPOSITORY / "models"),
        **more,
    }


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database migrated once; each test gets a copy."""
    path = tmp_path_factory.mktemp("template") / "cds.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A server for the session. Processes are killed in the tests, the machine is not, so it need not sync."""
    try:
        with postgres(fsync=False) as server:
            yield server
    except NoPostgres as error:
        pytest.skip(f"no PostgreSQL can be started here: {error}")


@pytest.fixture(scope="session")
def migrated_template(postgres_server: Postgres) -> str:
    """The name of a migrated database to copy."""
    name = postgres_server.create()
    migrate(postgres_server.url(name))
    return name


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    return load_predictor(REPOSITORY / "models")


@pytest.fixture(scope="session")
def tables() -> CodeTables:
    return load_code_tables(REPOSITORY / "models")


def loading_once(predictor: Predictor) -> Loader:
    """Loads models as a service does, but for the one every test has already."""

    def load(models_dir: Path, task: str, wanted: VersionId) -> Model:
        if (task, *wanted) == ("risk", predictor.version, predictor.digest):
            return predictor
        return load_model(models_dir, task, wanted)

    return load


@contextmanager
def started(
    directory: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, **more: str
) -> Iterator[Service]:
    """A service in `directory` until the block ends, on the database that is there or an empty one.

    Then its log is searched for the patient.
    """
    database, log = directory / "cds.db", directory / "log.jsonl"
    if not database.exists():
        shutil.copy(empty_database, database)
    settings = Settings.from_environment(environment(directory, **more))
    logs.configure(log)
    engine = open_engine(settings.database_url)
    keyring = Keyring(settings.secret_key, settings.secret_key_previous)
    writer = GroupWriter(engine, keyring)
    models = Models(settings.models_dir, engine, writer.submit_change, load=loading_once(predictor))
    runtime = Runtime(settings, models, tables, engine, keyring, writer)
    runtime.start()
    try:
        yield Service(runtime, create_app(runtime), database, log)
    finally:
        runtime.drain()
        logs.configure(None)
    written = log.read_text(encoding="utf-8")
    assert [data for data in PATIENT_DATA if data in written] == []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    held = Clock()
    monkeypatch.setattr(Runtime, "now", staticmethod(lambda: held.moment))
    return held


@pytest.fixture(params=KINDS)
def each_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """One of each kind: what takes it runs on SQLite and on PostgreSQL."""
    with a_database(request, tmp_path) as database:
        yield database


@pytest.fixture
def service(
    tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> Iterator[Service]:
    with started(tmp_path, empty_database, predictor, tables) as service:
        yield service


@pytest.fixture
def either(
    tmp_path: Path,
    empty_database: Path,
    predictor: Predictor,
    tables: CodeTables,
    clock: Clock,
    each_database: Database,
) -> Iterator[Service]:
    """A service on SQLite, and one on PostgreSQL."""
    with started(tmp_path, empty_database, predictor, tables, **each_database.settings) as service:
        yield service


def scored_by(service: Service, model: Any) -> Predictor:
    """Have the service score risk with this model from now on; returns the one it had."""
    models = service.runtime.models
    before = models.serving.risk
    models._serving = Serving(model)
    return before


@pytest.fixture
def client(service: Service) -> FlaskClient:
    return service.client


@dataclass(frozen=True)
class Live:
    """`cds serve` in a process of its own, on a free loopback port, with a database of its own."""

    process: subprocess.Popen[bytes]
    port: int
    directory: Path


@contextmanager
def live_service(directory: Path, **more: str) -> Iterator[Live]:
    """`cds migrate`, then `cds serve` until the block ends; then its log is searched for the patient."""
    port = free_port()
    log = directory / "log.jsonl"
    own = {"CDS_HTTP_BIND": f"127.0.0.1:{port}", "CDS_LOG_FILE": str(log), **more}
    variables = environment(directory, **own)
    run_cds("migrate", variables=variables)
    with server([*CDS, "serve"], port, variables, directory / "output.txt") as process:
        yield Live(process, port, directory)
    written = log.read_text(encoding="utf-8") + (directory / "output.txt").read_text(encoding="utf-8")
    assert [data for data in (*PATIENT_DATA, "Traceback") if data in written] == []


CDS = (sys.executable, "-m", "cds_service.cli")


def run_cds(*arguments: str, variables: dict[str, str], typed: str = "") -> subprocess.CompletedProcess[str]:
    """One `cds` command with exactly these settings, to its end; `typed` is its standard input."""
    return subprocess.run(
        [*CDS, *arguments],
        env={"PATH": "/usr/bin:/bin", **variables},
        cwd=REPOSITORY,
        input=f"{typed}\n",
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


def cds_in(service: Service, *arguments: str, typed: str = "") -> Done:
    """One `cds` command in this process on the database of a running service; `typed` is its standard input."""
    settings = service.runtime.settings
    own = environment(
        service.database.parent,
        CDS_CLIENT_AUTH=settings.client_auth,
        CDS_MODELS_DIR=str(settings.models_dir),
        **({} if settings.clients_file is None else {"CDS_CLIENTS_FILE": str(settings.clients_file)}),
    )
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, own),
        patch("sys.stdin", io.StringIO(f"{typed}\n")),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = main(arguments)
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_service(tmp_path_factory.mktemp("live")) as live:
        yield live
