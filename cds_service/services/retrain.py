"""Export, training and gate in one step that may be asked for again and again: the same trigger trains once.

A host that trains holds a lease in the database and renews it. One that dies stops renewing; the next to ask takes
over when the lease has run out.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Engine

from cds_service.domain.actor import Actor
from cds_service.services.dataset_rows import Chosen
from cds_service.services.export_labels import export_labels
from cds_service.services.train import Training, read_gate, run_training
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.trigger_log import PUBLISHED, REFUSED, Outcome, Trigger, claim, finish, renew
from cds_service.storage.writer import GroupWriter

# Chosen by us: renewed twenty times over while a host lives, and no long wait when it does not.
LEASE = timedelta(minutes=2)

Run = Callable[..., int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """What one retraining works with. `holder` names this process among all that might train."""

    engine: Engine
    writer: GroupWriter
    actor: Actor
    holder: str
    datasets: Path
    record: Callable[[dict[str, Any]], None]
    run: Run = run_training
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Retrained:
    """What came of a trigger, now or before, and the dataset it rests on."""

    outcome: Outcome
    trigger: Trigger
    dataset: Path
    is_new: bool


def retrain_once(chosen: Chosen, training: Training, reason: str, window: str, cycle: Cycle) -> Retrained:
    """Train on what is known as of `chosen.as_of`, unless this trigger was trained on already.

    `training.data` is set from the export. Raises Conflict while another host trains the task, DataRequired where
    there is nothing to train on.
    """
    dataset, digest = _exported(chosen, cycle)
    trigger = Trigger(chosen.task, reason, window, digest)
    before = _submit_claim(trigger, cycle)
    if before is not None:
        return Retrained(before, trigger, dataset, is_new=False)
    outcome = Outcome(REFUSED)
    try:
        outcome = _trained(replace(training, data=dataset), trigger, cycle)
    finally:
        cycle.writer.submit_change(
            finish(trigger, outcome, holder=cycle.holder, event=_event("model-trained", trigger, cycle, outcome))
        )
    return Retrained(outcome, trigger, dataset, is_new=True)


def _trained(training: Training, trigger: Trigger, cycle: Cycle) -> Outcome:
    def waiting() -> None:
        cycle.writer.submit_change(renew(trigger, holder=cycle.holder, until=cycle.now() + LEASE))

    version = training.version
    if cycle.run(training, version, waiting=waiting) != 0:
        return Outcome(REFUSED)
    return Outcome(PUBLISHED, version, read_gate(training.models_dir, training.task, version))


def _submit_claim(trigger: Trigger, cycle: Cycle) -> Outcome | None:
    at = cycle.now()
    event = _event("model-train", trigger, cycle, Outcome("running"))
    return cycle.writer.submit_change(claim(trigger, holder=cycle.holder, at=at, until=at + LEASE, event=event))


def _exported(chosen: Chosen, cycle: Cycle) -> tuple[Path, str]:
    """The dataset in a directory named for its rows; one that is there already is the same."""
    cycle.datasets.mkdir(parents=True, exist_ok=True)
    staging = cycle.datasets / f".{chosen.task}-{cycle.holder.replace('/', '-')}"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        exported = export_labels(chosen, staging, engine=cycle.engine, record=cycle.record)
        digest = str(exported.manifest["rows_sha256"])
        target = cycle.datasets / f"{chosen.task}-{digest[:16]}"
        if not target.exists():
            staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target, digest


def _event(action: str, trigger: Trigger, cycle: Cycle, outcome: Outcome) -> AuditEvent:
    detail = {"reason": trigger.reason, "window": trigger.window, "dataset": trigger.dataset_sha256}
    came = {"state": outcome.state, "verdict": outcome.verdict}
    return AuditEvent(
        at=cycle.now(),
        tenant="",
        actor=cycle.actor.name,
        action=action,
        object_type="model",
        object_id=f"{trigger.task} {outcome.version}".strip(),
        detail=msgspec.json.encode(detail | came).decode(),
    )
