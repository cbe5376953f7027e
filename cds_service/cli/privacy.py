"""Commands over what is held of patients: another key for it, and letting it go."""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import UTC, datetime

from cds_service.cli.command import Command, argument, command_actor, command_writer, say
from cds_service.errors import ConfigurationError
from cds_service.services.forget import Retention, forget_messages, forget_one_patient, forget_what_is_old
from cds_service.services.rotate_key import rotate_key
from cds_service.settings import Settings
from cds_service.settings.secret import PREVIOUS_SETTING
from cds_service.storage.identity import Keyring
from cds_service.storage.raw_messages import kept_messages
from cds_service.storage.sessions import open_engine


def rotate(arguments: argparse.Namespace, settings: Settings) -> int:
    """Bring every patient and comment from CDS_SECRET_KEY_PREVIOUS under CDS_SECRET_KEY; goes on where it stopped."""
    if not settings.secret_key_previous:
        raise ConfigurationError("not set: give the key the service had before", where=PREVIOUS_SETTING)
    with command_writer(settings) as writer:
        count = rotate_key(writer.submit_change, _keyring(settings), actor=command_actor(), at=datetime.now(UTC))
    text = f"{count} rows under the new key; {PREVIOUS_SETTING} can be taken away"
    say(arguments, {"ok": True, "rows": count}, text)
    return 0


def retention(arguments: argparse.Namespace, settings: Settings) -> int:
    """Delete what is older than CDS_RETENTION_DAYS and CDS_MESSAGE_RETENTION_DAYS; the service does so once a day."""
    keep = Retention(settings.retention_days, settings.message_retention_days)
    if not any(keep):
        raise ConfigurationError("is 0: everything is kept", where="CDS_RETENTION_DAYS")
    with command_writer(settings) as writer:
        counts = forget_what_is_old(writer.submit_change, keep, actor=command_actor(), at=datetime.now(UTC))
    return _say_deleted(arguments, counts)


def erase(arguments: argparse.Namespace, settings: Settings) -> int:
    """Delete all that is held of one patient; the audit log keeps ids and counts, and stays whole."""
    keyring, engine = _keyring(settings), open_engine(settings.database_url)
    kept = kept_messages(engine, keyring, arguments.tenant)
    request = {"actor": command_actor(arguments.tenant), "at": datetime.now(UTC), "reference": arguments.reference}
    with command_writer(settings) as writer:
        counts = forget_messages(writer.submit_change, kept, arguments.patient, **request)
        counts += forget_one_patient(writer.submit_change, keyring, arguments.patient, **request)
    engine.dispose()
    return _say_deleted(arguments, counts)


def _say_deleted(arguments: argparse.Namespace, counts: Counter[str]) -> int:
    text = ", ".join(f"{number} {table}" for table, number in counts.items()) or "nothing"
    say(arguments, {"ok": True, "deleted": dict(counts)}, f"deleted: {text}")
    return 0


def _keyring(settings: Settings) -> Keyring:
    return Keyring(settings.secret_key, settings.secret_key_previous)


COMMANDS = (
    Command(("identity", "rotate-key"), rotate),
    Command(("retention",), retention),
    Command(
        ("erase",),
        erase,
        (
            argument(
                "--patient",
                required=True,
                metavar="ID",
                help="the Patient's id, or SYSTEM|VALUE of an HL7 v2 identifier",
            ),
            argument("--tenant", required=True, help="whose patient it is"),
            argument("--reference", default="", help="the number of the request, for the audit log"),
        ),
    ),
)
