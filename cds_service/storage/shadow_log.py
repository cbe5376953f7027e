"""What challengers made of predictions, beside what was answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine, select

from cds_service.domain.label import Label
from cds_service.storage.change import Applied, Change, add_missing
from cds_service.storage.label_ledger import LABEL_COLUMNS, label_from_row
from cds_service.storage.sessions import reading
from cds_service.storage.tables import labels, predictions, shadow_scores


class ShadowScore(msgspec.Struct, frozen=True, kw_only=True):
    """One challenger's answer (a band or a state) with its probability, and that of the version in force, if any."""

    prediction_id: UUID
    task: str
    version: str
    tenant: str
    environment: str
    at: datetime
    answer: str
    probability: float
    champion_version: str
    champion_answer: str | None
    champion_probability: float | None


class Compared(NamedTuple):
    """A challenger's score, the patient it is of (None where nobody was named), and every label of the prediction."""

    score: ShadowScore
    patient_key: str | None
    labels: tuple[Label, ...]


_COLUMNS = tuple(shadow_scores.c[name] for name in ShadowScore.__struct_fields__)
_WIDTH = len(_COLUMNS)


def add_scores(scores: Sequence[ShadowScore]) -> Change[None]:
    """Store the scores; one that is there already stays as it is. Audited nowhere: no person and no answer is in it."""

    def change(connection: Connection) -> Applied[None]:
        for score in scores:
            add_missing(connection, shadow_scores, msgspec.structs.asdict(score))
        return Applied(None)

    return change


def last_version(engine: Engine, task: str, environment: str) -> str | None:
    """The version that was scored last, None when none was."""
    query = (
        select(shadow_scores.c.version)
        .where(shadow_scores.c.task == task, shadow_scores.c.environment == environment)
        .order_by(shadow_scores.c.prediction_id.desc(), shadow_scores.c.version.desc())
        .limit(1)
    )
    with reading(engine) as connection:
        return connection.execute(query).scalar_one_or_none()


def read_scores(engine: Engine, task: str, version: str, environment: str) -> list[Compared]:
    """Every prediction the challenger scored, in the order they were made, with its labels."""
    of = (
        shadow_scores.c.task == task,
        shadow_scores.c.version == version,
        shadow_scores.c.environment == environment,
    )
    whose = labels.c.prediction_id == shadow_scores.c.prediction_id
    query = (
        select(*_COLUMNS, predictions.c.patient_key, *LABEL_COLUMNS)
        .join(predictions, predictions.c.id == shadow_scores.c.prediction_id)
        .outerjoin(labels, whose & (labels.c.tenant == shadow_scores.c.tenant))
        .where(*of)
        .order_by(shadow_scores.c.prediction_id)
    )
    found = []
    with reading(engine) as connection:
        for _, events in groupby(connection.execute(query), key=lambda row: row[0]):
            rows = list(events)
            score = ShadowScore(**dict(zip(ShadowScore.__struct_fields__, rows[0][:_WIDTH], strict=True)))
            known = tuple(label_from_row(row[_WIDTH + 1 :]) for row in rows if row[_WIDTH + 1] is not None)
            found.append(Compared(score, rows[0][_WIDTH], known))
    return found
