"""Commands of the learning loop: datasets of labelled predictions, trainings on them, and both in one step."""

from __future__ import annotations

import argparse
import os
import re
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from socket import gethostname
from typing import Any
from uuid import uuid4

import msgspec

from cds_service.cli.command import Command, argument, command_actor, command_writer, say
from cds_service.domain.dataset import POLICIES, TASKS
from cds_service.domain.decision import standing
from cds_service.errors import BadRequest
from cds_service.inference.artifact import first_version
from cds_service.services.dataset_rows import Chosen
from cds_service.services.export_labels import export_labels
from cds_service.services.retrain import Cycle, retrain_once
from cds_service.services.train import Training, read_gate, run_training
from cds_service.settings import Settings
from cds_service.settings.dataset import dataset_rules
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.decisions import read_decisions
from cds_service.storage.identity import Keyring
from cds_service.storage.schema import open_current
from cds_service.storage.trigger_log import PUBLISHED
from cds_service.storage.writer import GroupWriter

# How long one query over all labels may take on PostgreSQL; chosen by us.
_LONG_S = 3600.0
# How long a lease's renewal may wait for the database; chosen by us, well within the lease.
_PATIENCE_S = 20.0
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


def export(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write the labelled predictions known as of a moment as a dataset: rows.parquet and manifest.json."""
    now = datetime.now(UTC)
    chosen = _chosen(arguments, settings, now)
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


def train(arguments: argparse.Namespace, settings: Settings) -> int:
    """Compare families of models on a dataset and publish the best as a challenger, in a process of its own."""
    with command_writer(settings) as writer:
        training = _training(arguments, settings)
        version = training.version
        if run_training(training, version) != 0:
            say(
                arguments,
                {"ok": False, "error": "the training was refused"},
                "cds: nothing was published",
                is_error=True,
            )
            return 1
        if arguments.reproduce is not None:
            say(arguments, {"ok": True, "reproduced": arguments.reproduce}, f"{arguments.reproduce} was made again")
            return 0
        verdict = read_gate(settings.models_dir, training.task, version)
        writer.submit_audit(_trained(training.task, version, verdict))
    say(arguments, {"ok": True, "version": version, "verdict": verdict}, f"{training.task} {version}: {verdict}")
    return 0


def retrain(arguments: argparse.Namespace, settings: Settings) -> int:
    """Export, train and judge in one step; the same reason, window and data train once, on one host at a time."""
    now = datetime.now(UTC)
    for name in ("reason", "window"):
        if not _NAME.fullmatch(getattr(arguments, name)):
            raise BadRequest("give 1 to 64 letters, digits, dots, hyphens and underscores", where=f"--{name}")
    with command_writer(settings, deadline_s=_PATIENCE_S) as writer:
        engine = open_current(settings.database_url, statement_timeout_s=_LONG_S)
        cycle = Cycle(
            engine=engine,
            writer=writer,
            actor=command_actor(),
            holder=f"{gethostname()}/{os.getpid()}/{uuid4().hex[:8]}",
            datasets=Path(arguments.datasets or settings.var_dir / "datasets"),
            record=partial(_record, writer, now),
        )
        training = _training(arguments, settings)
        came = retrain_once(_chosen(arguments, settings, now), training, arguments.reason, arguments.window, cycle)
        engine.dispose()
    outcome = came.outcome
    done = {
        "version": outcome.version,
        "verdict": outcome.verdict,
        "dataset": str(came.dataset),
        "trained": came.is_new,
    }
    is_published = outcome.state == PUBLISHED
    said = f"{training.task} {outcome.version}: {outcome.verdict}" if is_published else "nothing was published"
    say(arguments, {"ok": is_published, **done}, said if came.is_new else f"{said} (trained before)")
    return 0 if is_published else 1


def _training(arguments: argparse.Namespace, settings: Settings) -> Training:
    """What to train, against the version in service; the options of `python -m training compare` are handed on."""
    given = {name: getattr(arguments, name.replace("-", "_"), None) for name in _HANDED_ON}
    engine = open_current(settings.database_url)
    decided = standing(read_decisions(engine), arguments.task).in_force
    engine.dispose()
    found = decided or first_version(settings.models_dir, arguments.task)
    return Training(
        task=arguments.task,
        data=Path(getattr(arguments, "data", None) or "."),
        models_dir=settings.models_dir,
        champion=None if found is None else found.version,
        trainer=command_actor().name,
        options={
            name: "" if value is True else str(value.resolve() if isinstance(value, Path) else value)
            for name, value in given.items()
            if value is not None and value is not False
        },
        quiet=arguments.json,
    )


def _trained(task: str, version: str, verdict: str) -> AuditEvent:
    return AuditEvent(
        at=datetime.now(UTC),
        tenant="",
        actor=command_actor().name,
        action="model-trained",
        object_type="model",
        object_id=f"{task} {version}",
        detail=msgspec.json.encode({"verdict": verdict}).decode(),
    )


def _chosen(arguments: argparse.Namespace, settings: Settings, now: datetime) -> Chosen:
    return Chosen(
        task=arguments.task,
        policy=arguments.policy,
        as_of=_moment("--as-of", arguments.as_of, now) or now,
        rules=dataset_rules(settings.dataset_file),
        keyring=Keyring(settings.secret_key, settings.secret_key_previous),
        since=_moment("--since", arguments.since, now),
        synthetic=arguments.synthetic,
    )


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


def _moment(name: str, text: str | None, now: datetime) -> datetime | None:
    """The moment meant, in UTC; one to come would be another dataset every time."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadRequest("give an ISO 8601 time with its zone", where=name)
    if moment > now:
        raise BadRequest("lies in the future", where=name)
    return moment.astimezone(UTC)


_CHOICE = (
    argument("--as-of", metavar="T", help="labels received by then; now unless given"),
    argument("--since", metavar="T", help="predictions made from then on; all unless given"),
    argument("--synthetic", action="store_true", help="made-up patients instead of real ones"),
    argument("--policy", default="latest", choices=POLICIES, help="who is believed where labels differ (latest)"),
)
_HOW = (
    argument("--params", type=Path, metavar="FILE", help="parameters of the comparison; training/params.toml"),
    argument("--budget-seconds", type=float, metavar="N", help="for tuning; as the parameters say unless given"),
    argument("--trials", type=int, metavar="N", help="a number of trials instead of a time: the same on every machine"),
    argument("--incremental", action="store_true", help="only continue and recalibrate the version in service"),
    argument("--track", metavar="URI", help="also record the run in MLflow, such as sqlite:///mlflow.db"),
)
# Options of the comparison by their own names.
_HANDED_ON = ("params", "budget-seconds", "trials", "incremental", "track", "reproduce", "at")

COMMANDS = (
    Command(
        ("export-labels",),
        export,
        (
            argument("--task", required=True, choices=list(TASKS)),
            argument("--out", required=True, metavar="DIR", help="a directory that is not there yet"),
            *_CHOICE,
        ),
    ),
    Command(
        ("train",),
        train,
        (
            argument("task", metavar="TASK", choices=list(TASKS), help="risk or state"),
            argument("--data", required=True, metavar="DIR", help="a dataset of `cds export-labels`, or the survey"),
            *_HOW,
            argument("--reproduce", metavar="VERSION", help="make a published version again and compare its bytes"),
        ),
    ),
    Command(
        ("retrain",),
        retrain,
        (
            argument("task", metavar="TASK", choices=list(TASKS), help="risk or state"),
            argument("--reason", required=True, help="what asks for it, such as monthly"),
            argument("--window", required=True, help="which one of these it is, such as 2026-03"),
            argument("--datasets", metavar="DIR", help="where datasets are kept; beside the database unless given"),
            *_CHOICE,
            *_HOW,
        ),
    ),
)
