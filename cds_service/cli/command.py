"""What a command of `cds` is made of, and how it answers."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from cds_service.domain.actor import Actor
from cds_service.settings import Settings
from cds_service.storage.identity import Keyring
from cds_service.storage.schema import open_current
from cds_service.storage.writer import GroupWriter

Run = Callable[[argparse.Namespace, Settings], int]


def argument(*names: str, **options: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    """One argument as argparse takes it."""
    return names, options


@dataclass(frozen=True, slots=True)
class Command:
    """One command by its words, `("users", "add")`; the first line of what it runs is its help.

    Whoever may read the settings may run it. One that changes what the database holds is in the audit log, under
    the account that ran it.
    """

    words: tuple[str, ...]
    run: Run
    arguments: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = ()


def say(arguments: argparse.Namespace, document: dict[str, object], text: str, *, is_error: bool = False) -> None:
    """Answer for a person, or as one JSON object a line with `--json`."""
    stream = sys.stderr if is_error else sys.stdout
    print(json.dumps(document) if arguments.json else text, file=stream, flush=True)


def command_actor(tenant: str = "") -> Actor:
    """Who runs this command, by the account of the operating system."""
    name = f"command:{getpass.getuser()}"
    return Actor(name=name, kind="command", role="operator", tenant=tenant, environment="production")


@contextmanager
def _writer(settings: Settings) -> Any:
    engine = open_current(settings.database_url)
    writer = GroupWriter(engine, Keyring(settings.secret_key, settings.secret_key_previous))
    try:
        yield writer
    finally:
        writer.drain()
        engine.dispose()


def command_writer(settings: Settings) -> AbstractContextManager[GroupWriter]:
    """A writer for one command beside the running service: it extends the same audit chain and commits durably."""
    writer: AbstractContextManager[GroupWriter] = _writer(settings)
    return writer
