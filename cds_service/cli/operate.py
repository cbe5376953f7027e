"""Commands that run the service: serve, migrate."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from flask import Flask

from cds_service.cli.command import Command, argument, say
from cds_service.errors import ConfigurationError, Unavailable
from cds_service.runtime import Runtime
from cds_service.services.check_database import check_database
from cds_service.services.example import moved_to_now
from cds_service.services.models import load_models_in_force
from cds_service.settings import Settings, sqlite_directory
from cds_service.storage import schema
from cds_service.storage.sessions import open_engine
from cds_service.web import serving


def serve(arguments: argparse.Namespace, settings: Settings) -> int:
    """Serve HTTP until SIGTERM or SIGINT; refuses to start on a database or model that will not do."""
    _refuse_to_start(settings)
    if arguments.try_file:
        _offer_example(Path(arguments.try_file), settings)
    return serving.serve(settings, _whole, _listen)


def serve_mllp(arguments: argparse.Namespace, settings: Settings) -> int:
    """Take HL7 v2 messages over MLLP until SIGTERM, in a process of its own; needs PostgreSQL."""
    if settings.mllp_bind is None:
        raise ConfigurationError("say where to listen", where="CDS_MLLP_BIND")
    if sqlite_directory(settings.database_url) is not None:
        text = "SQLite takes one process's writes: let `cds serve` listen, or use PostgreSQL"
        raise ConfigurationError(text, where="CDS_DATABASE_URL")
    _refuse_to_start(settings)
    from cds_service.mllp.receiving import serve_alone

    return serve_alone(settings)


def migrate(arguments: argparse.Namespace, settings: Settings) -> int:
    """Bring the database up to this version's schema."""
    schema.migrate(settings.database_url)
    say(arguments, {"ok": True, "revision": schema.HEAD_REVISION}, f"database is at revision {schema.HEAD_REVISION}")
    return 0


def _refuse_to_start(settings: Settings) -> None:
    """Raise ConfigurationError for what no waiting mends; a database that is away is waited for by the service."""
    engine = open_engine(settings.database_url)
    try:
        check_database(settings)
    except Unavailable as error:
        print(f"cds: {error}; answering 503 until it is there", file=sys.stderr)
    load_models_in_force(settings.models_dir, engine)
    engine.dispose()


def _whole(runtime: Runtime) -> Flask:
    from cds_service.app import create_app  # loaded once the service is ready: it is half of all it imports

    return create_app(runtime)


def _listen(runtime: Runtime) -> Callable[[], object]:
    if runtime.settings.mllp_bind is None:
        return lambda: None
    from cds_service.mllp.receiving import listen

    return listen(runtime)


def _offer_example(source: Path, settings: Settings) -> None:
    """Write a fresh example request beside the database and print the line that sends it."""
    try:
        text = source.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=str(source)) from error
    target = settings.var_dir / "try.json"
    target.write_text(moved_to_now(text, datetime.now(UTC), hook_instance=str(uuid4())), encoding="utf-8")
    print(
        f"Try it from another terminal:\n\n  curl -s {settings.public_url}/cds-services/vitals-risk "
        f"-H 'Content-Type: application/json' -d @{os.path.relpath(target)}\n",
        flush=True,
    )


COMMANDS = (
    Command(
        ("serve",),
        serve,
        (argument("--try", dest="try_file", metavar="FILE", help="offer this example request, made fresh"),),
    ),
    Command(("serve-mllp",), serve_mllp),
    Command(("migrate",), migrate),
)
