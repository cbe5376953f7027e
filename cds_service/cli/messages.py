"""Commands for HL7 v2 messages: which came, what one says, and taking one up again."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from cds_service.cli.command import Command, argument, command_actor, command_writer, say
from cds_service.errors import NotFound
from cds_service.hl7.conformance import explain
from cds_service.runtime import Runtime
from cds_service.services.check_database import check_database
from cds_service.services.replay_message import replay_message
from cds_service.settings import Settings
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.identity import Keyring
from cds_service.storage.message_entry import Status
from cds_service.storage.sessions import open_engine
from cds_service.storage.stored_messages import MessageRow, list_messages, list_senders, read_whole


def list_(arguments: argparse.Namespace, settings: Settings) -> int:
    """List messages, the newest first, without what they say."""
    engine = open_engine(settings.database_url)
    statuses = [arguments.status] if arguments.status else []
    for row in list_messages(engine, statuses=statuses, tenant=arguments.tenant, limit=arguments.limit):
        say(arguments, msgspec.to_builtins(row), _line(row))
    engine.dispose()
    return 0


def senders(arguments: argparse.Namespace, settings: Settings) -> int:
    """List the senders heard in the last days, and those silent for longer than the site file allows."""
    engine = open_engine(settings.database_url)
    now = datetime.now(UTC)
    for row in list_senders(engine, now - timedelta(days=arguments.days)):
        silent = settings.site.feeds.of(row.sender).silent
        is_silent = bool(silent) and now - row.last > silent
        counts = f"{row.messages} messages, {row.refused} refused, {row.pending} pending"
        parts = (f"{row.last:%Y-%m-%d %H:%M:%S}", row.tenant, row.actor, row.sender, counts)
        document = {**msgspec.to_builtins(row), "silent": is_silent}
        say(arguments, document, "  ".join([*parts, *(["silent"] if is_silent else [])]))
    engine.dispose()
    return 0


def show(arguments: argparse.Namespace, settings: Settings) -> int:
    """Show one message and how it was acknowledged; of a refused one also what hl7apy objects to. Audited."""
    engine = open_engine(settings.database_url)
    whole = read_whole(engine, Keyring(settings.secret_key, settings.secret_key_previous), _id(arguments))
    with command_writer(settings) as writer:
        writer.submit_audit(
            AuditEvent(
                at=datetime.now(UTC),
                tenant=whole.row.tenant,
                actor=command_actor().name,
                action="message-read",
                object_type="message",
                object_id=str(whole.row.id),
            )
        )
    engine.dispose()
    texts = [_readable(one) for one in (whole.raw, *whole.replies)]
    problems = explain(whole.raw) if whole.row.status == Status.REFUSED else []
    document = {
        **msgspec.to_builtins(whole.row),
        "message": texts[0],
        "acknowledgments": texts[1:],
        "problems": [{"where": where, "text": text} for where, text in problems],
    }
    listed = ["\n".join(f"{where}: {text}" for where, text in problems)] if problems else []
    say(arguments, document, "\n\n".join([_line(whole.row), *texts, *listed]))
    return 0


def replay(arguments: argparse.Namespace, settings: Settings) -> int:
    """Take up one refused or pending message again, by today's rules and model."""
    check_database(settings)
    runtime = Runtime.from_settings(settings)
    try:
        runtime.watch.refresh()
        runtime.models.refresh()
        whole = read_whole(runtime.engine, runtime.keyring, _id(arguments))
        status = replay_message(whole, runtime.beside.intake, by=command_actor(), at=runtime.now())
    finally:
        runtime.drain()
    done = status in (Status.ACCEPTED, Status.IGNORED)
    say(arguments, {"ok": done, "id": str(whole.row.id), "status": status.value}, f"{whole.row.id}: {status.value}")
    return 0 if done else 1


def _id(arguments: argparse.Namespace) -> UUID:
    try:
        return UUID(arguments.id)
    except ValueError:
        raise NotFound("is no id of a message", where="id") from None


def _line(row: MessageRow) -> str:
    parts = (str(row.id), f"{row.received_at:%Y-%m-%d %H:%M:%S}", row.status, row.type, row.sender, row.control_id)
    return "  ".join([*parts, row.reason]).rstrip()


def _readable(raw: bytes) -> str:
    """The bytes with a line for each segment and nothing that moves a terminal's cursor."""
    text = raw.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


_MESSAGE = argument("id", help="as `cds messages list` shows it")

COMMANDS = (
    Command(
        ("messages", "list"),
        list_,
        (
            argument("--status", choices=[status.value for status in Status], help="only of this status"),
            argument("--tenant", default="", help="only of this tenant"),
            argument("--limit", type=int, default=50, help="at most so many (50)"),
        ),
    ),
    Command(
        ("messages", "senders"),
        senders,
        (argument("--days", type=int, default=1, help="heard in so many days (1)"),),
    ),
    Command(("messages", "show"), show, (_MESSAGE,)),
    Command(("messages", "replay"), replay, (_MESSAGE,)),
)
