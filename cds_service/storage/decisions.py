"""Decisions about models as they are stored: append-only, the order is that of their numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TypeAlias

import msgspec
from sqlalchemy import Connection, Engine, func, insert, select

from cds_service.domain.actor import SYNTHETIC
from cds_service.domain.decision import Action, Decision
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied, Change, Transaction
from cds_service.storage.sessions import reading
from cds_service.storage.tables import model_decisions, predictions

# From every decision so far to the next ones. What it raises reaches the caller, and nothing is decided.
Decide: TypeAlias = Callable[[Sequence[Decision]], Sequence[Decision]]

# What the audit log calls each.
AUDITED = {
    Action.SEED: "model-seed",
    Action.PROMOTE: "model-promote",
    Action.ROLLBACK: "model-rollback",
    Action.SHADOW: "model-shadow",
    Action.UNSHADOW: "model-unshadow",
}

_NAMES = tuple(field.name for field in fields(Decision))
_READ = select(*(model_decisions.c[name] for name in _NAMES)).order_by(model_decisions.c.seq)
_COUNT = select(func.coalesce(func.max(model_decisions.c.seq), 0))


def read_decisions(engine: Engine) -> list[Decision]:
    """Every decision, oldest first."""
    with reading(engine) as connection:
        return _decisions(connection)


def count_decisions(engine: Engine) -> int:
    """The number of the last decision; it grows with each, and costs nothing to ask."""
    with reading(engine) as connection:
        return int(connection.execute(_COUNT).scalar_one())


def decide(choose: Decide) -> Change[Sequence[Decision]]:
    """Append the decisions that `choose` makes of those before them; no other can come between."""

    def change(transaction: Transaction) -> Applied[Sequence[Decision]]:
        made = choose(_decisions(transaction))
        for decision in made:
            values = {name: getattr(decision, name) for name in _NAMES}
            values |= {"action": decision.action.value, "overrides": " ".join(decision.overrides)}
            transaction.execute(insert(model_decisions).values(values))
        return Applied(made, [_event(decision) for decision in made])

    return change


def has_real_patients(transaction: Transaction) -> Applied[bool]:
    """Whether a patient who is not made up was ever answered about in production."""
    real = (
        (predictions.c.environment == "production")
        & ~predictions.c.tenant.startswith(f"{SYNTHETIC}-")
        & (predictions.c.hook != SYNTHETIC)
    )
    return Applied(transaction.execute(select(predictions.c.id).where(real).limit(1)).first() is not None)


def _decisions(connection: Connection) -> list[Decision]:
    return [_decision(dict(row._mapping)) for row in connection.execute(_READ)]


def _decision(row: dict[str, object]) -> Decision:
    changed = {"action": Action(str(row["action"])), "overrides": tuple(str(row["overrides"]).split())}
    return Decision(**{**row, **changed})  # type: ignore[arg-type]


def _event(decision: Decision) -> AuditEvent:
    detail = {
        "task": decision.task,
        "manifest": decision.manifest_digest,
        "trainer": decision.trainer,
        "gate": decision.gate,
        "overrides": decision.overrides,
    }
    return AuditEvent(
        at=decision.at,
        tenant="",
        actor=decision.actor,
        action=AUDITED[decision.action],
        object_type="model",
        object_id=f"{decision.task} {decision.version}".strip(),
        detail=msgspec.json.encode({name: value for name, value in detail.items() if value}).decode(),
    )
