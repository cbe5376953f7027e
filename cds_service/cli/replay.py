"""The command that makes a stored prediction again: `cds replay`."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from functools import partial

import msgspec

from cds_service.cli.command import Command, argument, command_actor, command_writer, say
from cds_service.errors import NotFound
from cds_service.inference.served import load_model
from cds_service.services.read_prediction import uuid_from
from cds_service.services.rescore import rescore
from cds_service.settings import Settings
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.decisions import read_decisions
from cds_service.storage.prediction_log import read_any_prediction
from cds_service.storage.schema import open_current


def replay(arguments: argparse.Namespace, settings: Settings) -> int:
    """Score a stored prediction again with its own version; 1 when anything comes out differently."""
    engine = open_current(settings.database_url)
    with command_writer(settings) as writer:
        row = read_any_prediction(engine, uuid_from(arguments.prediction))
        if row is None:
            raise NotFound("no such prediction")
        models_dir = settings.models_dir
        load, policy = partial(load_model, models_dir), settings.site.assessment
        found = rescore(row, read_decisions(engine), models_dir=models_dir, load=load, policy=policy)
        event = AuditEvent(
            at=datetime.now(UTC),
            tenant=row.tenant,
            actor=command_actor().name,
            action="prediction-rescore",
            object_type="prediction",
            object_id=str(row.id),
            detail=msgspec.json.encode({"model": row.model_version, "differing": found.differing}).decode(),
        )
        writer.submit_audit(event)
    engine.dispose()
    same, is_same_site = not found.differing, row.site_hash == settings.site.hash
    risks = [None if one.risk is None else one.risk.probability for one in (found.stored, found.again)]
    document: dict[str, object] = {
        "ok": same,
        "prediction": str(row.id),
        "model_version": row.model_version,
        "differing": list(found.differing),
        "stored": risks[0],
        "again": risks[1],
        "same_site_file": is_same_site,
    }
    said = "the same" if same else f"differs in {', '.join(found.differing)}: {risks[0]} then, {risks[1]} now"
    site = "" if is_same_site else "; the site file is another one since, with it the bands may be"
    say(arguments, document, f"risk {row.model_version}: {said}{site}")
    return 0 if same else 1


COMMANDS = (
    Command(("replay",), replay, (argument("prediction", metavar="PREDICTION", help="its id, as on the card"),)),
)
