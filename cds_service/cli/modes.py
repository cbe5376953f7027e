"""The command for what the service does for a tenant: `cds mode`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import UTC, datetime

from cds_service.cli.command import Command, argument, command_actor, command_writer, say
from cds_service.domain.mode import Mode
from cds_service.errors import BadRequest
from cds_service.services.switch_mode import switch_mode
from cds_service.settings import Settings
from cds_service.storage.modes import ModeSwitch, mode_history, read_modes
from cds_service.storage.people import read_tokens, read_users
from cds_service.storage.schema import open_current
from cds_service.storage.sessions import reading


def mode(arguments: argparse.Namespace, settings: Settings) -> int:
    """Show the tenants' modes, one tenant's switches, or switch one: live, silent or suspended, with --reason."""
    if arguments.mode is None:
        return _show(arguments, settings)
    if arguments.reason is None:
        say(arguments, {"ok": False, "error": "--reason is required"}, "cds: say why: --reason TEXT", is_error=True)
        return 2
    _check_tenant(arguments.tenant, settings)
    actor = replace(command_actor(arguments.tenant), tenant=arguments.tenant)
    with command_writer(settings) as writer:
        switch = switch_mode(Mode(arguments.mode), arguments.reason, actor, at=datetime.now(UTC), writer=writer)
    _say(arguments, switch)
    return 0


def _show(arguments: argparse.Namespace, settings: Settings) -> int:
    engine = open_current(settings.database_url)
    if arguments.tenant is None:
        switches = sorted(read_modes(engine).values(), key=lambda switch: switch.tenant)
    else:
        with reading(engine) as connection:
            switches = mode_history(connection, arguments.tenant)
    for switch in switches:
        _say(arguments, switch)
    if not switches and not arguments.json:
        say(arguments, {}, "never switched: live")
    return 0


def _say(arguments: argparse.Namespace, switch: ModeSwitch) -> None:
    shown = {
        "tenant": switch.tenant,
        "mode": switch.mode.value,
        "at": switch.at.isoformat(timespec="seconds"),
        "actor": switch.actor,
        "reason": switch.reason,
    }
    say(arguments, {"ok": True, **shown}, "\t".join(shown.values()))


def _check_tenant(tenant: str, settings: Settings) -> None:
    """Refuse a name nobody has: a mistyped one would switch nothing and look as if it had."""
    engine = open_current(settings.database_url)
    stored = {row.tenant for row in read_users(engine)} | {row.tenant for row in read_tokens(engine)}
    known = settings.clients.tenants | stored
    if tenant not in known:
        raise BadRequest(
            f"no client, user or token is of this tenant; known are {', '.join(sorted(known))}", where="TENANT"
        )


COMMANDS = (
    Command(
        ("mode",),
        mode,
        (
            argument("tenant", nargs="?", metavar="TENANT"),
            argument("mode", nargs="?", metavar="MODE", choices=list(Mode), help="live, silent or suspended"),
            argument("--reason", metavar="TEXT", help="why; required to switch, no patient data"),
        ),
    ),
)
