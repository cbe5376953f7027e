"""Commands for people and tokens: `cds users …`, `cds tokens …`."""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from cds_service.cli.command import Command, argument, command_actor, command_writer, say
from cds_service.domain.actor import ENVIRONMENTS, USER_ROLES
from cds_service.errors import BadRequest, NotFound
from cds_service.services.credentials import LIFETIME_MAX, SCOPES, hash_password, is_name, make_token
from cds_service.settings import Settings
from cds_service.storage.people import (
    TokenRow,
    UserRow,
    add_token,
    add_user,
    change_user,
    read_tokens,
    read_user,
    read_users,
    revoke_token,
)
from cds_service.storage.schema import open_current

_NAME = "letters, digits, dots, hyphens, underscores and @, at most 64"


def users_add(arguments: argparse.Namespace, settings: Settings) -> int:
    """Add a user; the password is asked for, or read from standard input when that is no terminal."""
    _check_name(arguments.name)
    _check_environment(settings, arguments.tenant, arguments.environment)
    user = UserRow(
        name=arguments.name,
        tenant=arguments.tenant,
        environment=arguments.environment,
        role=arguments.role,
        password_hash=hash_password(_password()),
        created_at=_now(),
        created_by=command_actor().name,
    )
    with command_writer(settings) as writer:
        writer.submit_change(add_user(user))
    say(arguments, {"ok": True, "user": user.name}, f"{user.name} may log in as {user.role} of {user.tenant}")
    return 0


def users_list(arguments: argparse.Namespace, settings: Settings) -> int:
    """List the users."""
    for user in read_users(open_current(settings.database_url)):
        shown = {"name": user.name, "tenant": user.tenant, "environment": user.environment, "role": user.role}
        state = "disabled" if user.disabled_at else "active"
        say(arguments, {**shown, "state": state}, "\t".join([*shown.values(), state]))
    return 0


def users_role(arguments: argparse.Namespace, settings: Settings) -> int:
    """Give a user another role, from the next call on."""
    return _change(arguments, settings, "user-role", {"role": arguments.role})


def users_password(arguments: argparse.Namespace, settings: Settings) -> int:
    """Set a user's password; asked for, or read from standard input when that is no terminal."""
    return _change(arguments, settings, "user-password", {"password_hash": hash_password(_password())})


def users_disable(arguments: argparse.Namespace, settings: Settings) -> int:
    """Let a user in no more, nor any token made for them."""
    return _change(arguments, settings, "user-disable", {"disabled_at": _now()})


def users_enable(arguments: argparse.Namespace, settings: Settings) -> int:
    """Let a user in again."""
    return _change(arguments, settings, "user-enable", {"disabled_at": None})


def tokens_create(arguments: argparse.Namespace, settings: Settings) -> int:
    """Make a token for a system, or with --user for a person; it is shown once."""
    _check_name(arguments.name)
    scopes = _scopes(arguments.scopes)
    lifetime = timedelta(days=arguments.days)
    if not timedelta(0) < lifetime <= LIFETIME_MAX:
        raise BadRequest(f"choose 1 to {LIFETIME_MAX.days} days", where="--days")
    made, now = make_token(), _now()
    tenant, environment = _whose(arguments, settings)
    token = TokenRow(
        id=made.id,
        secret_hash=made.secret_hash,
        name=arguments.name,
        tenant=tenant,
        environment=environment,
        user_name=arguments.user,
        scopes=scopes,
        created_at=now,
        created_by=command_actor().name,
        expires_at=now + lifetime,
    )
    with command_writer(settings) as writer:
        writer.submit_change(add_token(token))
    say(arguments, {"ok": True, "id": token.id, "token": made.text}, made.text)
    return 0


def tokens_list(arguments: argparse.Namespace, settings: Settings) -> int:
    """List the tokens, without what proves them."""
    now = _now()
    for token in read_tokens(open_current(settings.database_url)):
        state = "revoked" if token.revoked_at else "expired" if token.expires_at <= now else "active"
        shown = {
            "id": token.id,
            "name": token.name,
            "user": token.user_name or "",
            "tenant": token.tenant,
            "environment": token.environment,
            "scopes": token.scopes,
            "expires_at": token.expires_at.isoformat(timespec="seconds"),
            "state": state,
        }
        say(arguments, dict(shown), "\t".join(shown.values()))
    return 0


def tokens_revoke(arguments: argparse.Namespace, settings: Settings) -> int:
    """Refuse a token from the next call on."""
    with command_writer(settings) as writer:
        writer.submit_change(revoke_token(arguments.id, at=_now(), by=command_actor().name))
    say(arguments, {"ok": True, "id": arguments.id}, f"{arguments.id} is refused from now on")
    return 0


def _change(arguments: argparse.Namespace, settings: Settings, action: str, values: dict[str, Any]) -> int:
    change = change_user(arguments.name, values, action=action, at=_now(), by=command_actor().name)
    with command_writer(settings) as writer:
        writer.submit_change(change)
    say(arguments, {"ok": True, "user": arguments.name}, f"{arguments.name}: done")
    return 0


def _whose(arguments: argparse.Namespace, settings: Settings) -> tuple[str, str]:
    """Tenant and environment of a token: its user's, or as given."""
    if arguments.user is None:
        if arguments.tenant is None:
            raise BadRequest("say whose data the token sees, or --user", where="--tenant")
        _check_environment(settings, arguments.tenant, arguments.environment)
        return arguments.tenant, arguments.environment
    user = read_user(open_current(settings.database_url), arguments.user)
    if user is None:
        raise NotFound("there is no user of this name", where=arguments.user)
    return user.tenant, user.environment


def _check_environment(settings: Settings, tenant: str, environment: str) -> None:
    """A tenant is production or test, never both: what is tested with would mix with what is real."""
    engine = open_current(settings.database_url)
    rows: list[UserRow | TokenRow] = [*read_users(engine), *read_tokens(engine)]
    stored = {row.tenant: row.environment for row in rows}
    known = (stored | settings.clients.environments()).get(tenant, environment)
    if known != environment:
        raise BadRequest(f"tenant {tenant} is {known}; give test data a tenant of its own", where="--environment")


def _check_name(name: str) -> None:
    if not is_name(name):
        raise BadRequest(f"must be {_NAME}", where="NAME")


def _scopes(text: str) -> str:
    scopes = text.replace(",", " ").split()
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise BadRequest(f"choose from {', '.join(SCOPES)}", where="--scopes")
    return " ".join(scope for scope in SCOPES if scope in scopes)


def _password() -> str:
    """From the terminal twice, or one line of standard input; never from the command line, which others can see."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise BadRequest("the two are not the same", where="password")
    return password


def _now() -> datetime:
    return datetime.now(UTC)


_WHO = argument("name", metavar="NAME", help=_NAME)
_ROLE = argument("--role", required=True, choices=USER_ROLES)
_ENVIRONMENT = argument("--environment", choices=ENVIRONMENTS, default="production")

COMMANDS = (
    Command(("users", "add"), users_add, (_WHO, argument("--tenant", required=True), _ENVIRONMENT, _ROLE)),
    Command(("users", "list"), users_list),
    Command(("users", "role"), users_role, (_WHO, _ROLE)),
    Command(("users", "password"), users_password, (_WHO,)),
    Command(("users", "disable"), users_disable, (_WHO,)),
    Command(("users", "enable"), users_enable, (_WHO,)),
    Command(
        ("tokens", "create"),
        tokens_create,
        (
            argument("name", metavar="NAME", help="what the token is for"),
            argument("--scopes", required=True, help=f"separated by commas: {', '.join(SCOPES)}"),
            argument("--days", type=int, default=90, help="until it ends (90)"),
            argument("--user", help="the user it is made for"),
            argument("--tenant", help="whose data it sees, for a system"),
            _ENVIRONMENT,
        ),
    ),
    Command(("tokens", "list"), tokens_list),
    Command(("tokens", "revoke"), tokens_revoke, (argument("id", metavar="ID"),)),
)
