"""Triggers of trainings: each trains once, one host at a time trains a task, one that dies lets go soon."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, insert, select, update

from cds_service.errors import Conflict
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied, Change, Transaction
from cds_service.storage.tables import retrain_triggers

RUNNING, PUBLISHED, REFUSED = "running", "published", "refused"

_T = retrain_triggers.c


@dataclass(frozen=True, slots=True)
class Trigger:
    """What asks for a training: the same reason, window and data are the same trigger."""

    task: str
    reason: str
    window: str
    dataset_sha256: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a training: the version it published and what the gate says of it; empty where it was refused."""

    state: str
    version: str = ""
    verdict: str = ""


def claim(trigger: Trigger, *, holder: str, at: datetime, until: datetime, event: AuditEvent) -> Change[Outcome | None]:
    """Hold the trigger until then, and None; or what came of it before. Conflict while another trains the task."""

    def change(transaction: Transaction) -> Applied[Outcome | None]:
        rows = transaction.execute(select(retrain_triggers).where(_T.task == trigger.task)).all()
        busy = next((row for row in rows if row.state == RUNNING and row.lease_until > at), None)
        if busy is not None:
            moment = busy.lease_until.isoformat(timespec="seconds")
            raise Conflict(f"{busy.holder} trains it; its lease lasts until {moment}", where=trigger.task)
        same = next((row for row in rows if Trigger(*row[:4]) == trigger), None)
        if same is not None and same.state == PUBLISHED:
            return Applied(Outcome(same.state, same.version, same.verdict))
        held = {
            "state": RUNNING, "holder": holder, "lease_until": until, "started_at": at, "version": "", "verdict": "",
        }  # fmt: skip
        if same is None:
            transaction.execute(insert(retrain_triggers).values(**asdict(trigger), **held))
        else:
            transaction.execute(update(retrain_triggers).where(_is(trigger)).values(held))
        return Applied(None, [event])

    return change


def renew(trigger: Trigger, *, holder: str, until: datetime) -> Change[None]:
    """Hold the trigger longer; Conflict where another took it over meanwhile."""

    def change(transaction: Transaction) -> Applied[None]:
        _held(transaction, trigger, holder, {"lease_until": until})
        return Applied(None)

    return change


def finish(trigger: Trigger, outcome: Outcome, *, holder: str, event: AuditEvent) -> Change[None]:
    """Let go of the trigger with what came of it; Conflict where another took it over meanwhile."""

    def change(transaction: Transaction) -> Applied[None]:
        _held(transaction, trigger, holder, asdict(outcome))
        return Applied(None, [event])

    return change


def _held(transaction: Transaction, trigger: Trigger, holder: str, values: dict[str, object]) -> None:
    mine = and_(_is(trigger), _T.holder == holder, _T.state == RUNNING)
    if transaction.execute(update(retrain_triggers).where(mine).values(values)).rowcount != 1:
        raise Conflict("another took the training over: the lease had run out", where=trigger.task)


def _is(trigger: Trigger) -> ColumnElement[bool]:
    return and_(*(_T[name] == value for name, value in asdict(trigger).items()))
