"""The `cds` command. Exit codes: 0 done, 1 said no, 2 usage."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from cds_service import __version__
from cds_service.cli import audit, import_history, learn, messages, models, modes, operate, people, privacy, rare
from cds_service.cli.command import Command, say
from cds_service.errors import CdsError
from cds_service.settings import Settings

COMMANDS: tuple[Command, ...] = (
    *operate.COMMANDS,
    *messages.COMMANDS,
    *people.COMMANDS,
    *audit.COMMANDS,
    *privacy.COMMANDS,
    *rare.COMMANDS,
    *modes.COMMANDS,
    *import_history.COMMANDS,
    *learn.COMMANDS,
    *models.COMMANDS,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; what is wrong goes to standard error in one line."""
    arguments = _parser().parse_args(argv)
    command: Command = arguments.command
    try:
        return command.run(arguments, Settings.from_environment(os.environ))
    except CdsError as error:
        say(arguments, {"ok": False, "error": str(error)}, f"cds: {error}", is_error=True)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cds", description="Clinical decision support that learns.")
    parser.add_argument("--version", action="version", version=__version__)
    groups = {"": parser.add_subparsers(required=True, metavar="COMMAND")}
    for command in COMMANDS:
        group, name = ("", *command.words)[-2:]
        if group not in groups:
            heading = groups[""].add_parser(group, help=f"see `cds {group} --help`")
            groups[group] = heading.add_subparsers(required=True, metavar="COMMAND")
        text = command.run.__doc__ or ""
        epilog = f"In the audit log as {command.records}." if command.records else None
        sub = groups[group].add_parser(name, help=text.split("\n")[0], description=text, epilog=epilog)
        sub.add_argument("--json", action="store_true", help="answer as one JSON object a line")
        for names, options in command.arguments:
            sub.add_argument(*names, **options)
        sub.set_defaults(command=command)
    return parser
