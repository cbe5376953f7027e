"""What a command of `cds` is made of, and how it answers."""

from __future__ import annotations

import argparse
import json
import os
import pwd
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from cds_service.access import ACCESS
from cds_service.domain.actor import Actor
from cds_service.settings import Settings
from cds_service.storage.audit_log import check_seal
from cds_service.storage.identity import Keyring
from cds_service.storage.schema import open_current
from cds_service.storage.writer import DEADLINE_S, GroupWriter


def argument(*names: str, **options: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    """One argument as argparse takes it."""
    return names, options


@dataclass(frozen=True, slots=True)
class Command:
    """One command by its words, `("users", "add")`; the first line of what it runs is its help.

    Its row in the access table says what it leaves in the audit log, under the account that ran it. What `is_alone`
    is run without settings: it makes a service of its own.
    """

    words: tuple[str, ...]
    run: Callable[..., int]
    arguments: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = ()
    is_alone: bool = False

    def __call__(self, arguments: argparse.Namespace) -> int:
        """Its exit code; CdsError says what is wrong."""
        return self.run(arguments) if self.is_alone else self.run(arguments, Settings.from_environment(os.environ))

    @property
    def records(self) -> str:
        """What it is called in the audit log, empty for one that changes nothing."""
        return ACCESS[" ".join(("cds", *self.words))].records


def say(arguments: argparse.Namespace, document: dict[str, object], text: str, *, is_error: bool = False) -> None:
    """Answer for a person, or as one JSON object a line with `--json`."""
    stream = sys.stderr if is_error else sys.stdout
    print(json.dumps(document) if arguments.json else text, file=stream, flush=True)


def command_actor(tenant: str = "") -> Actor:
    """Who runs this command, by the account of the process: not by a variable, which anyone may set."""
    return Actor(name=f"command:{_account()}", kind="command", role="operator", tenant=tenant, environment="production")


def _account() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"  # a container's user need not have a name


@contextmanager
def _writer(settings: Settings, deadline_s: float) -> Any:
    engine = open_current(settings.database_url)
    keyring = Keyring(settings.secret_key, settings.secret_key_previous)
    check_seal(engine, keyring)
    writer = GroupWriter(engine, keyring, deadline_s=deadline_s)
    try:
        yield writer
    finally:
        writer.drain()
        engine.dispose()


def command_writer(settings: Settings, *, deadline_s: float = DEADLINE_S) -> AbstractContextManager[GroupWriter]:
    """A writer for one command beside the running service: it extends the same audit chain and commits durably.

    ConfigurationError when the secret key is not the one the chain is sealed with: the key is what proves the operator.
    """
    writer: AbstractContextManager[GroupWriter] = _writer(settings, deadline_s)
    return writer
