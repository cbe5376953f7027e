"""The command that takes a hospital's own history: `cds import-history`."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TextIO

from cds_service.cli.command import Command, argument, command_actor, command_writer, say
from cds_service.cli.progress import progress
from cds_service.domain.actor import Actor
from cds_service.errors import BadRequest, ConfigurationError
from cds_service.inference.codes import load_code_tables
from cds_service.records.history import Dropped, read_history
from cds_service.records.history_file import count_rows
from cds_service.services.import_history import Importer, Taken, import_history
from cds_service.services.models import Models
from cds_service.services.received import Received
from cds_service.settings import Settings
from cds_service.settings.history import history_map
from cds_service.storage.identity import Keyring
from cds_service.storage.people import TokenRow, UserRow, read_tokens, read_users
from cds_service.storage.schema import open_current

# A batch is committed whole while the service writes too; chosen by us.
_DEADLINE_S = 30.0


def import_(arguments: argparse.Namespace, settings: Settings) -> int:
    """Take a delimited file of past visits and what was later true of them, as its column map declares."""
    path, declared = Path(arguments.file), history_map(Path(arguments.columns))
    now, actor = datetime.now(UTC), _actor(arguments.tenant, settings)
    keyring = Keyring(settings.secret_key, settings.secret_key_previous)
    received = Received(actor, now, settings.site.feedback, keyring)
    with ExitStack() as stack:
        writer = stack.enter_context(command_writer(settings, deadline_s=_DEADLINE_S))
        total, chosen = count_rows(path, declared)
        engine = open_current(settings.database_url)
        stack.callback(engine.dispose)
        models = Models(settings.models_dir, engine, writer.submit_change)
        models.refresh()
        importer = Importer(
            received=received,
            site=settings.site,
            tables=load_code_tables(settings.models_dir),
            models=models.serving if declared.synthetic else models.answering(actor),
            engine=engine,
            writer=writer,
            synthetic=declared.synthetic,
            drops_impossible=declared.rules["impossible"] == "drop",
        )
        rows = import_history(read_history(path, declared, chosen, now=now), importer)
        counts = _report(progress(rows, total), arguments.report)
        detail = json.dumps({"rows": total, **dict(sorted(counts.items()))})
        digest = sha256(path.read_bytes()).hexdigest()
        writer.submit_audit(received.event("history-import", "history", digest, detail))
    text = ", ".join(f"{number} {what}" for what, number in sorted(counts.items())) or "nothing"
    say(arguments, {"ok": True, "rows": total, "counts": dict(counts)}, f"{total} rows: {text}")
    return 0


def _report(found: Iterable[Taken | Dropped], report: str | None) -> Counter[str]:
    """Count what became of the rows, and write a line for each that was dropped or held back."""
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        file = None if report is None else stack.enter_context(_opened(report))
        for one in found:
            document: dict[str, object] = {"line": one.line}
            if isinstance(one, Dropped):
                document |= {"dropped": one.reason, "where": one.where}
                counts[f"dropped: {one.reason}"] += 1
            else:
                document |= {"held_back": one.quarantine}
                counts[one.what] += 1
                counts.update(["held back"] if one.quarantine else [])
            if file is not None and (isinstance(one, Dropped) or one.quarantine):
                print(json.dumps(document), file=file)
    return counts


def _actor(tenant: str, settings: Settings) -> Actor:
    """Whoever runs the command, for a tenant somebody is of: a mistyped one would be a hospital nobody sees."""
    engine = open_current(settings.database_url)
    rows: list[UserRow | TokenRow] = [*read_users(engine), *read_tokens(engine)]
    stored = {row.tenant: row.environment for row in rows}
    engine.dispose()
    known = stored | settings.clients.environments()
    if tenant not in known:
        raise BadRequest(
            f"no client, user or token is of this tenant; known are {', '.join(sorted(known))}", where="--tenant"
        )
    return replace(command_actor(tenant), environment=known[tenant])


def _opened(report: str) -> TextIO:
    try:
        return open(report, "w", encoding="utf-8")
    except OSError as problem:
        raise ConfigurationError(f"cannot be written: {problem.strerror}", where=report) from None


COMMANDS = (
    Command(
        ("import-history",),
        import_,
        (
            argument("file", metavar="FILE", help="delimited text, one row a visit"),
            argument("--columns", required=True, metavar="MAP.toml", help="which column is what"),
            argument("--tenant", required=True, help="whose patients they are"),
            argument("--report", metavar="FILE", help="write a JSON line for every row dropped or held back"),
        ),
    ),
)
