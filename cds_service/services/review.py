"""The review queue: which case a person is asked about next, and what they do with it beside labelling it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
from sqlalchemy import Engine

from cds_service.domain.features import matrix_from_snapshots
from cds_service.domain.label import CATEGORIES, Kind, Label, Source, Status, rehearsed, statuses
from cds_service.domain.likeness import Spread, novelty
from cds_service.domain.review_order import Unreviewed, review_order
from cds_service.errors import NotFound
from cds_service.services.received import Received
from cds_service.services.stored import Gist, gist_from_bytes, inputs_from_bytes, ranking_from_bytes
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied, Transaction
from cds_service.storage.review_log import (
    SEEN,
    SKIP,
    UNSURE,
    Stored,
    Whose,
    count_answers,
    count_categories,
    doubted,
    keep_mark,
    read_stored,
    unlabelled,
)
from cds_service.storage.sessions import reading
from cds_service.storage.subjects import read_subjects
from cds_service.storage.writer import GroupWriter

# Chosen by us: older cases are forgotten by those who knew the patient. The newest so many are weighed against each
# other, which takes milliseconds.
YOUNG = timedelta(days=90)
CANDIDATES = 200
# A state that fewer of the labels name than this is one of few labels; chosen by us.
_FEW = 0.10
_SHIFT = timedelta(days=1)
_NO_CHOICE = (1.0, 0.0)
_ACTIONS = {SKIP: "review-skip", UNSURE: "review-unsure"}


@dataclass(frozen=True, slots=True)
class Queue:
    """The case to ask about next, None when there is none, and how many wait, at most `CANDIDATES`."""

    next_case: UUID | None
    waiting: int


def review_queue(received: Received, *, engine: Engine, spread: Spread) -> Queue:
    """The queue of this person now: what others were unsure of first, then the order of `review_order`."""
    whose = whose_cases(received)
    with reading(engine) as connection:
        second = doubted(connection, whose, limit=1)
        ids = unlabelled(connection, whose, limit=CANDIDATES)
        if second or not ids:
            return Queue(next(iter(second), None), len(ids))
        answered = count_answers(connection, whose._replace(since=received.at - _SHIFT))
        counts = count_categories(connection, whose)
        rows = read_stored(connection, ids)
    order = review_order(_candidates(rows, counts, spread), seed=f"{whose.tenant}/{whose.actor}", answered=answered)
    return Queue(order[0], len(ids))


def whose_cases(received: Received) -> Whose:
    """The young predictions of the caller's tenant and environment."""
    actor = received.actor
    return Whose(actor.tenant, actor.environment, actor.name, received.at - YOUNG)


def pass_on(prediction_id: UUID, mark: str, received: Received, *, writer: GroupWriter) -> None:
    """Store that this person skips the case, or is unsure of it; NotFound when it is not there for them."""

    def change(transaction: Transaction) -> Applied[None]:
        _require(transaction, prediction_id, received)
        keep_mark(transaction, _mark(prediction_id, mark, received))
        return Applied(None, [received.event(_ACTIONS[mark], "prediction", prediction_id)])

    writer.submit_change(change, token=received.token)


def note_sight(prediction_id: UUID, received: Received, *, writer: GroupWriter, read: AuditEvent | None = None) -> None:
    """Store that this person has seen what the prediction said, with the audit of the read that showed it."""

    def change(transaction: Transaction) -> Applied[None]:
        keep_mark(transaction, _mark(prediction_id, SEEN, received))
        return Applied(None, [] if read is None else [read])

    writer.submit_change(change, token=received.token)


def own_label(labels: tuple[Label, ...], actor: str, at: datetime) -> Label | None:
    """What this person said last on a form and did not take back, None where they said nothing."""
    found = statuses(rehearsed(labels), at)
    mine = [
        label
        for label in labels
        if (label.kind, label.source, label.actor) == (Kind.LABEL, Source.FORM, actor)
        and found.get(label.id) in (Status.CURRENT, Status.QUARANTINED)
    ]
    return max(mine, key=lambda label: (label.stands_at, label.refers_to is not None), default=None)


def _require(transaction: Transaction, prediction_id: UUID, received: Received) -> None:
    actor = received.actor
    if prediction_id not in read_subjects(transaction, actor.tenant, actor.environment, [prediction_id]):
        raise NotFound("no such prediction")


def _mark(prediction_id: UUID, mark: str, received: Received) -> dict[str, object]:
    actor = received.actor
    return {
        "prediction_id": prediction_id,
        "actor": actor.name,
        "tenant": actor.tenant,
        "environment": actor.environment,
        "mark": mark,
        "at": received.at,
    }


def _candidates(rows: list[Stored], counts: dict[str, int], spread: Spread) -> list[Unreviewed]:
    few = {name for name in CATEGORIES if counts.get(name, 0) <= _FEW * sum(counts.values())}
    strange = novelty(matrix_from_snapshots([inputs_from_bytes(row.snapshot) for row in rows]), spread)
    return [_candidate(row, float(far), few) for row, far in zip(rows, np.round(strange, 6), strict=True)]


def _candidate(row: Stored, far: float, few: set[str]) -> Unreviewed:
    gist = gist_from_bytes(row.outcome)
    if gist is None:
        return _ranked(row)
    likely = gist.state_model.likely if gist.state_model else tuple(tag.state for tag in gist.states)
    return Unreviewed(
        id=row.id,
        probabilities=_probabilities(gist),
        novelty=far,
        set_size=len(gist.state_model.likely) if gist.state_model else 1,
        is_rare=not few.isdisjoint(likely),
    )


def _ranked(row: Stored) -> Unreviewed:
    """A ranking of rare diseases: doubtful as its confidence says, and rare where it names any."""
    ranking = ranking_from_bytes(row.outcome)
    named = ranking is not None and bool(ranking.candidates)
    sure = ranking.confidence if ranking is not None and named else 1.0
    return Unreviewed(id=row.id, probabilities=(sure, 1 - sure), novelty=0.0, set_size=1, is_rare=named)


def _probabilities(gist: Gist) -> tuple[float, ...]:
    """Those of the model of states, else of the risk; where no model spoke there is no doubt of one to learn from."""
    if gist.state_model is not None:
        return tuple(gist.state_model.probabilities.values())
    return _NO_CHOICE if gist.risk is None else (gist.risk.probability, 1 - gist.risk.probability)
