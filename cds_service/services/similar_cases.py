"""Cases of the same tenant whose truth is known and that are most like this one: what they were, never who."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine

from cds_service.domain.consensus import settle, votes_on
from cds_service.domain.features import matrix_from_snapshots
from cds_service.domain.label import Label, current_labels, rehearsed
from cds_service.domain.likeness import Spread, age_band, apart, distances, likeness, most_different, nearest
from cds_service.domain.patient import PatientSnapshot
from cds_service.domain.phenotype import RareAssessment
from cds_service.domain.prediction import Prediction
from cds_service.services.read_prediction import Record
from cds_service.services.received import Received
from cds_service.services.stored import Bounds, gist_from_bytes, inputs_from_bytes, is_ranking
from cds_service.storage.overlay import newest_cases, person_of
from cds_service.storage.review_log import Stored, Whose, labels_of, newest_labelled, read_stored
from cds_service.storage.sessions import reading
from cds_service.storage.subjects import Subject, read_subjects

# The newest so many labelled predictions are compared, and so many shown; chosen by us: milliseconds, and a glance.
NEWEST, MOST = 300, 5
# Labels are read of so many at a time, nearest first: most of them tell.
_AT_ONCE = 15
# As long as a label may be looked back for; chosen by us: two years of a ward's practice.
_SINCE = timedelta(days=730)


@dataclass(frozen=True, slots=True)
class SimilarCase:
    """What became of another patient: state, or admission to intensive care, and how like they were.

    `age` is a band of ten years. `differs` names the inputs that differ most.
    """

    category: str | None
    icu_admission: bool | None
    news2: Bounds | None
    age: tuple[int, int | None] | None
    likeness: str
    differs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SimilarRareCase:
    """A confirmed rare case of the tenant: its disease, and how many of this patient's findings it had."""

    disease: str
    shared: int
    findings: int


def similar_cases(
    prediction: Prediction, received: Received, *, engine: Engine, spread: Spread, record: Record
) -> list[SimilarCase]:
    """The nearest by the model's inputs among the newest labelled predictions of other patients, nearest first.

    The read is audited.
    """
    actor = received.actor
    whose = Whose(actor.tenant, actor.environment, actor.name, received.at - _SINCE)
    with reading(engine) as connection:
        this = read_subjects(connection, actor.tenant, actor.environment, [prediction.id])[prediction.id]
        ids = newest_labelled(connection, whose, limit=NEWEST)
        rows = [row for row in read_stored(connection, ids) if not (_is_same(row, this) or is_ranking(row.outcome))]
        found = _nearest(connection, prediction.snapshot, rows, received, spread)
    record(received.event("similar-read", "prediction", prediction.id))
    return found


def similar_rare_cases(
    assessment: RareAssessment, received: Received, *, engine: Engine, record: Record
) -> list[SimilarRareCase]:
    """Confirmed cases of the tenant that share most findings with this ranking, none of the same patient; audited.

    None in the test environment: they are production patients.
    """
    actor = received.actor
    if actor.environment != "production":
        return []
    with reading(engine) as connection:
        this = read_subjects(connection, actor.tenant, actor.environment, [assessment.id])[assessment.id]
        cases = newest_cases(connection, actor.tenant, limit=NEWEST)
    mine = {finding.term for finding in assessment.phenotype.findings if not finding.excluded and not finding.by_vital}
    person = person_of(this.id, this.patient_key)
    found = [
        SimilarRareCase(case.disease, len(mine & case.observed), len(mine)) for case in cases if case.person != person
    ]
    record(received.event("similar-read", "prediction", assessment.id))
    return sorted((case for case in found if case.shared), key=lambda case: -case.shared)[:MOST]


def _is_same(row: Stored, this: Subject) -> bool:
    return row.id == this.id or (row.patient_key is not None and row.patient_key == this.patient_key)


def _truth(labels: Sequence[Label], at: datetime) -> tuple[str | None, bool | None]:
    """The state and the admission that are believed; None for what nobody said, or what is disputed."""
    current = current_labels(rehearsed(labels), at)
    votes = {fact: votes_on(fact, current) for fact in ("category", "icu_admission")}
    believed = {fact: settle("adjudicate", fact, given) for fact, given in votes.items() if given}
    category, admission = (
        getattr(label, fact) if isinstance(label := believed.get(fact), Label) else None for fact in votes
    )
    return category, admission


def _nearest(
    connection: Connection, snapshot: PatientSnapshot, rows: Sequence[Stored], received: Received, spread: Spread
) -> list[SimilarCase]:
    """The nearest whose truth is believed; labels are read of the nearest only, and of more while too few tell."""
    others = [inputs_from_bytes(row.snapshot) for row in rows]
    parts = apart(matrix_from_snapshots([snapshot])[0], matrix_from_snapshots(others), spread)
    found = distances(parts)
    shown: list[SimilarCase] = []
    order = nearest(found.tolist(), most=len(rows))
    for start in range(0, len(order), _AT_ONCE):
        places = order[start : start + _AT_ONCE]
        about = labels_of(connection, received.actor.tenant, [rows[place].id for place in places])
        for place in places:
            category, admission = _truth(about.get(rows[place].id, ()), received.at)
            if (category, admission) == (None, None):
                continue
            gist = gist_from_bytes(rows[place].outcome)
            shown.append(
                SimilarCase(
                    category=category,
                    icu_admission=admission,
                    news2=None if gist is None else gist.news2,
                    age=age_band(others[place].age_years),
                    likeness=likeness(float(found[place])),
                    differs=most_different(parts[place]),
                )
            )
            if len(shown) == MOST:
                return shown
    return shown
