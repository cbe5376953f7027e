"""Commands over what is held of patients: another key for it, and letting it go."""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import UTC, datetime

from cds_service.cli.command import Command, argument, command_actor, command_writer, say
from cds_service.errors import ConfigurationError
from cds_service.services.forget import forget_one_patient, forget_what_is_old
from cds_service.services.rotate_key import rotate_key
from cds_service.settings import Settings
from cds_service.settings.secret import PREVIOUS_SETTING
from cds_service.storage.identity import Keyring


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
    """Delete what is older than CDS_RETENTION_DAYS; the service does the same once a day."""
    if not settings.retention_days:
        raise ConfigurationError("is 0: everything is kept", where="CDS_RETENTION_DAYS")
    with command_writer(settings) as writer:
        counts = forget_what_is_old(
            writer.submit_change, settings.retention_days, actor=command_actor(), at=datetime.now(UTC)
        )
    return _say_deleted(arguments, counts)


def erase(arguments: argparse.Namespace, settings: Settings) -> int:
    """Delete all that is held of one patient; the audit log keeps ids and counts, and stays whole."""
    with command_writer(settings) as writer:
        counts = forget_one_patient(
            writer.submit_change,
            _keyring(settings),
            arguments.patient,
            actor=command_actor(arguments.tenant),
            at=datetime.now(UTC),
            reference=arguments.reference,
        )
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
            argument("--patient", required=True, metavar="ID", help="the id of the Patient as the sender gives it"),
            argument("--tenant", required=True, help="whose patient it is"),
            argument("--reference", default="", help="the number of the request, for the audit log"),
        ),
    ),
)
