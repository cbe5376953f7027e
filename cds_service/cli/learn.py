"""Commands of the learning loop: datasets of labelled predictions."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from cds_service.cli.command import Command, argument, command_actor, command_writer, say
from cds_service.domain.dataset import POLICIES, TASKS
from cds_service.errors import BadRequest
from cds_service.services.dataset_rows import Chosen
from cds_service.services.export_labels import export_labels
from cds_service.settings import Settings
from cds_service.settings.dataset import dataset_rules
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.identity import Keyring
from cds_service.storage.schema import open_current
from cds_service.storage.writer import GroupWriter

# How long one query over all labels may take on PostgreSQL; chosen by us.
_LONG_S = 3600.0


def export(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write the labelled predictions known as of a moment as a dataset: rows.parquet and manifest.json."""
    now = datetime.now(UTC)
    chosen = Chosen(
        task=arguments.task,
        policy=arguments.policy,
        as_of=_as_of(arguments.as_of, now),
        rules=dataset_rules(settings.dataset_file),
        keyring=Keyring(settings.secret_key, settings.secret_key_previous),
    )
    engine = open_current(settings.database_url, statement_timeout_s=_LONG_S)
    with command_writer(settings) as writer:
        record = partial(_record, writer, now)
        exported = export_labels(chosen, Path(arguments.out), engine=engine, record=record)
    engine.dispose()
    counts, excluded = exported.manifest["counts"], exported.manifest["excluded"]
    classes = ", ".join(f"{number} {name}" for name, number in counts["by_class"].items())
    left_out = ", ".join(f"{number} {reason}" for reason, number in sorted(excluded.items())) or "nothing"
    text = f"{counts['rows']} rows of {counts['patients']} patients ({classes}); left out: {left_out}"
    say(arguments, {"ok": True, "out": str(exported.directory), "manifest": exported.manifest}, text)
    return 0


def _record(writer: GroupWriter, at: datetime, manifest: dict[str, Any]) -> None:
    """The audit of a dataset: what it was made of and the hash of its rows."""
    detail = {name: manifest[name] for name in ("task", "as_of", "policy", "counts")}
    event = AuditEvent(
        at=at,
        tenant="",
        actor=command_actor().name,
        action="labels-export",
        object_type="dataset",
        object_id=manifest["rows_sha256"],
        detail=msgspec.json.encode(detail).decode(),
    )
    writer.submit_audit(event)


def _as_of(text: str | None, now: datetime) -> datetime:
    """The moment meant, in UTC; one to come would be another dataset every time."""
    if text is None:
        return now
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadRequest("give an ISO 8601 time with its zone", where="--as-of")
    if moment > now:
        raise BadRequest("lies in the future", where="--as-of")
    return moment.astimezone(UTC)


COMMANDS = (
    Command(
        ("export-labels",),
        export,
        (
            argument("--as-of", metavar="T", help="labels received by then; now unless given"),
            argument("--task", required=True, choices=list(TASKS)),
            argument("--out", required=True, metavar="DIR", help="a directory that is not there yet"),
            argument(
                "--policy", default="latest", choices=POLICIES, help="who is believed where labels differ (latest)"
            ),
        ),
    ),
)
