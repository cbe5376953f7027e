"""Commands for decisions about models: promote, rollback, shadow, history."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from cds_service.cli.command import Command, argument, command_writer, say
from cds_service.domain.decision import TASKS, Decision, standing
from cds_service.errors import BadRequest
from cds_service.services.registry import Asked, Registry
from cds_service.settings import Settings
from cds_service.storage.decisions import read_decisions
from cds_service.storage.people import read_user
from cds_service.storage.schema import open_current


def promote(arguments: argparse.Namespace, settings: Settings) -> int:
    """Put a version in force that the gate approved; asks for the password, or reads it from standard input."""
    return _decide(
        arguments, settings, lambda registry, asked: registry.promote(asked, arguments.version, arguments.override)
    )


def rollback(arguments: argparse.Namespace, settings: Settings) -> int:
    """Put the version before in force again; asks for the password, or reads it from standard input."""
    return _decide(arguments, settings, lambda registry, asked: registry.rollback(asked))


def shadow(arguments: argparse.Namespace, settings: Settings) -> int:
    """Score a version beside the one in force, or with --stop no more; asks for the password as promote does."""
    if (arguments.version is None) is not arguments.stop:
        say(arguments, {"ok": False, "error": "give VERSION or --stop"}, "cds: give VERSION or --stop", is_error=True)
        return 2
    if arguments.stop:
        return _decide(arguments, settings, lambda registry, asked: registry.unshadow(asked))
    return _decide(arguments, settings, lambda registry, asked: registry.shadow(asked, arguments.version))


def history(arguments: argparse.Namespace, settings: Settings) -> int:
    """List what was decided about a task, and what was in force now or at a moment; 1 when nothing was."""
    as_of = datetime.now(UTC) if arguments.as_of is None else _moment(arguments.as_of)
    decisions = read_decisions(open_current(settings.database_url))
    known = [decision for decision in decisions if decision.task == arguments.task and decision.at <= as_of]
    for decision in known:
        _say(arguments, decision)
    now = standing(known, arguments.task)
    in_force = None if now.in_force is None else now.in_force.version or None
    challenger = None if now.shadow is None else now.shadow.version
    text = f"in force {as_of.isoformat(timespec='seconds')}: {in_force or 'none'}"
    found: dict[str, object] = {"ok": in_force is not None, "as_of": as_of.isoformat(), "in_force": in_force}
    say(arguments, {**found, "shadow": challenger}, text if challenger is None else f"{text}, in shadow: {challenger}")
    return 0 if in_force else 1


def _decide(arguments: argparse.Namespace, settings: Settings, made: Callable[[Registry, Asked], Decision]) -> int:
    asked = Asked(
        task=arguments.task,
        name=arguments.user,
        person=read_user(open_current(settings.database_url), arguments.user),
        password=_password(),
        reason=arguments.reason,
        at=datetime.now(UTC),
    )
    with command_writer(settings) as writer:
        decision = made(Registry(settings.models_dir, writer), asked)
    _say(arguments, decision)
    return 0


def _say(arguments: argparse.Namespace, decision: Decision) -> None:
    shown = {
        "task": decision.task,
        "action": decision.action.value,
        "version": decision.version or "none",
        "at": decision.at.isoformat(timespec="seconds"),
        "actor": decision.actor,
        "reason": decision.reason,
    }
    basis = {"trainer": decision.trainer, "gate": decision.gate, "overrides": list(decision.overrides)}
    exact = {"at": decision.at.isoformat(), "manifest_digest": decision.manifest_digest}
    document = {"ok": True, **shown, **exact, **basis}
    over = [f"over {', '.join(decision.overrides)}"] if decision.overrides else []
    say(arguments, document, "\t".join([*shown.values(), *over]))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequest("is not a time of ISO 8601", where="--as-of") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _password() -> str:
    """From the terminal, or one line of standard input; never from the command line, which others can see."""
    return getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")


def _deciding(*more: tuple[tuple[str, ...], dict[str, object]]) -> Sequence[tuple[tuple[str, ...], dict[str, object]]]:
    who = (
        argument("--user", required=True, metavar="NAME", help="who decides: a steward or an admin"),
        argument("--reason", required=True, metavar="TEXT", help="why; no patient data"),
    )
    return (_TASK, *more, *who)


_TASK = argument("task", metavar="TASK", choices=TASKS, help=" or ".join(TASKS))
_VERSION = argument("version", metavar="VERSION")
_OVERRIDE = argument(
    "--override", action="append", default=[], metavar="CHECK", help="a failed check you take on; may be repeated"
)

COMMANDS = (
    Command(("promote",), promote, (*_deciding(_VERSION, _OVERRIDE),)),
    Command(("rollback",), rollback, (*_deciding(),)),
    Command(
        ("shadow",),
        shadow,
        (
            *_deciding(
                argument("version", nargs="?", metavar="VERSION"),
                argument("--stop", action="store_true", help="score no version beside the one in force any more"),
            ),
        ),
    ),
    Command(("history",), history, (_TASK, argument("--as-of", metavar="TIME", help="ISO 8601, UTC unless it says"))),
)
