"""The `cds` command. Exit codes: 0 done, 1 said no, 2 usage."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from cds_service import __version__
from cds_service.errors import CdsError

if TYPE_CHECKING:
    from cds_service.cli.command import Command

# Objects between two runs of the cycle collector while a command loads what it works on: most of it stays.
_COLLECT_EVERY = 50_000

# The first word of a command and the module it is in. Only that one is imported: a rollback does not wait for the
# web application.
MODULES: Mapping[str, str] = {
    **dict.fromkeys(("serve", "serve-mllp", "migrate"), "operate"),
    **dict.fromkeys(("check", "rollup"), "upkeep"),
    "messages": "messages",
    **dict.fromkeys(("users", "tokens"), "people"),
    "audit": "audit",
    **dict.fromkeys(("identity", "retention", "erase"), "privacy"),
    "rare": "rare",
    "mode": "modes",
    "import-history": "import_history",
    **dict.fromkeys(("export-labels", "train", "retrain"), "learn"),
    **dict.fromkeys(("promote", "rollback", "shadow", "history"), "models"),
    "shadow-report": "shadow_report",
    "replay": "replay",
    "demo": "demo",
}

# Who answers for one patient at a time has no use for OpenBLAS's threads, which wait in a loop once numpy is imported:
# a tenth of a start. A training, which a command may begin, keeps them.
_SERVING = frozenset({"serve", "serve-mllp"})


def commands(word: str = "") -> tuple[Command, ...]:
    """The commands of the module this word begins one of, in the order of the help; all where it begins none."""
    names = [MODULES[word]] if word in MODULES else dict.fromkeys(MODULES.values())
    return tuple(command for name in names for command in import_module(f"{__name__}.{name}").COMMANDS)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; what is wrong goes to standard error in one line."""
    gc.set_threshold(_COLLECT_EVERY)
    words = sys.argv[1:] if argv is None else argv
    if _SERVING.intersection(words[:1]):
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()  # what is imported stays, and looking through it again and again costs a sixth of importing it
    try:
        known = commands(words[0] if words else "")
    finally:
        gc.freeze()
        gc.enable()
    arguments = _parser(known).parse_args(words)
    command: Command = arguments.command
    try:
        return command(arguments)
    except CdsError as error:
        from cds_service.cli.command import say  # imported with the command, out of the collector's sight

        say(arguments, {"ok": False, "error": str(error)}, f"cds: {error}", is_error=True)
        return 1


def _parser(known: Sequence[Command]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cds", description="Clinical decision support that learns.")
    parser.add_argument("--version", action="version", version=__version__)
    groups = {"": parser.add_subparsers(required=True, metavar="COMMAND")}
    for command in known:
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
