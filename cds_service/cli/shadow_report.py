"""The command that says what a challenger would have changed."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime

from cds_service.cli.command import Command, argument, say
from cds_service.domain.actor import ENVIRONMENTS, SYNTHETIC
from cds_service.domain.decision import TASKS
from cds_service.errors import NotFound
from cds_service.services.shadow_report import shadow_report
from cds_service.settings import Settings
from cds_service.storage.schema import open_current
from cds_service.storage.shadow_log import last_version, read_scores


def report(arguments: argparse.Namespace, settings: Settings) -> int:
    """Compare a challenger's scores with what was answered; 1 when it scored nothing."""
    engine = open_current(settings.database_url)
    version = arguments.version or last_version(engine, arguments.task, arguments.environment)
    if version is None:
        raise NotFound("no version was scored in shadow", where=arguments.task)
    now = datetime.now(UTC)
    found = shadow_report(read_scores(engine, arguments.task, version, arguments.environment), as_of=now)
    engine.dispose()
    lines = [f"{name}: {json.dumps(part)}" for name, part in found.items()]
    document = {"ok": bool(found["scored"]), "task": arguments.task, "version": version, **found}
    say(arguments, document, "\n".join([f"{arguments.task} {version} in shadow", *lines]))
    return 0 if found["scored"] else 1


COMMANDS = (
    Command(
        ("shadow-report",),
        report,
        (
            argument("task", metavar="TASK", choices=TASKS, help=" or ".join(TASKS)),
            argument("--version", metavar="VERSION", help="the one scored last unless given"),
            argument(
                "--environment",
                choices=(*ENVIRONMENTS, SYNTHETIC),
                default="production",
                help="production unless given",
            ),
        ),
    ),
)
