"""A hospital's own history goes the way of every patient: read, assessed, stored as a prediction, and labelled.

A file that comes again changes nothing; a changed fact supersedes; changed inputs make another prediction, and the
label moves to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from uuid import UUID

import msgspec
from sqlalchemy import Engine

from cds_service.domain.actor import SYNTHETIC
from cds_service.domain.codes import CodeTables
from cds_service.domain.label import Kind, Label, Source
from cds_service.domain.patient import NotUsed, PatientSnapshot
from cds_service.domain.vitals import VITAL_SIGNS
from cds_service.errors import BadRequest
from cds_service.records.history import Dropped, HistoryRow
from cds_service.records.reader import snapshot_from_record
from cds_service.services.assess import Models, assess
from cds_service.services.dataset_rows import HISTORY_SERVICE
from cds_service.services.enter_label import enter_label, label_id
from cds_service.services.log_prediction import Asked, entry_from_prediction
from cds_service.services.received import Received
from cds_service.settings.site import Site
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied, Transaction
from cds_service.storage.erasure_list import read_erased
from cds_service.storage.label_ledger import labels_of_threads
from cds_service.storage.prediction_log import find_ids, new_prediction_id
from cds_service.storage.sessions import reading
from cds_service.storage.subjects import Subject, read_subjects
from cds_service.storage.writer import GroupWriter

# Rows stored and labelled at a time; chosen by us: as many as one commit of the writer takes.
_BATCH = 128
# Digits kept of each hash in the name of a thread, which holds 64 characters: 96 bits.
_KEPT = 24
_IMPOSSIBLE = frozenset({NotUsed.IMPLAUSIBLE, NotUsed.INCONSISTENT})


@dataclass(frozen=True, slots=True)
class Importer:
    """What rows are assessed with and stored by. `drops_impossible` is the map's rule for impossible values."""

    received: Received
    site: Site
    tables: CodeTables
    models: Models
    engine: Engine
    writer: GroupWriter
    synthetic: bool
    drops_impossible: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a row: `new`, `changed` or `same`, and the rule that holds its label back, if one does."""

    line: int
    what: str
    quarantine: str | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """A row with its snapshot, and the keys it is known by: `visit` for its label, `key` for its inputs too."""

    row: HistoryRow
    snapshot: PatientSnapshot
    visit: str
    key: str

    @property
    def thread(self) -> str:
        """The thread of its label: of one visit and one set of inputs."""
        return f"import:{self.visit[:_KEPT]}:{self.key.partition(':')[2][:_KEPT]}"


def import_history(rows: Iterable[HistoryRow | Dropped], importer: Importer) -> Iterator[Taken | Dropped]:
    """Store the rows and say of each what became of it, once it is committed."""
    left = iter(rows)
    with reading(importer.engine) as connection:
        erased = read_erased(connection)
    with ThreadPoolExecutor(_BATCH) as pool:
        while batch := list(islice(left, _BATCH)):
            read = [_read(row, importer, erased) if isinstance(row, HistoryRow) else row for row in batch]
            yield from (one for one in read if isinstance(one, Dropped))
            taken = [one for one in read if isinstance(one, _Read)]
            if taken:
                yield from _stored(taken, importer, pool)


def _read(row: HistoryRow, importer: Importer, erased: frozenset[str]) -> _Read | Dropped:
    received = importer.received
    if not erased.isdisjoint(received.keyring.patient_keys(received.actor.tenant, row.key[0])):
        return Dropped(row.line, "erased")
    try:
        snapshot = snapshot_from_record(row.record, at=row.at, policy=importer.site.reading, tables=importer.tables)
    except BadRequest as problem:
        return Dropped(row.line, "unreadable", problem.where)
    wrong = next((one.name for one in snapshot.not_used if one.reason in _IMPOSSIBLE), None)
    if wrong is not None and importer.drops_impossible:
        return Dropped(row.line, "impossible", wrong)
    if VITAL_SIGNS.keys().isdisjoint(snapshot.readings):
        return Dropped(row.line, "no-vitals")
    actor, keyring = received.actor, received.keyring
    visit = keyring.fingerprint(msgspec.json.encode([HISTORY_SERVICE, actor.tenant, *row.key])).hex()
    inputs = sha256(msgspec.json.encode([row.at.isoformat(), row.record], order="deterministic")).hexdigest()[:32]
    return _Read(row, snapshot, visit, f"{visit}:{inputs}")


def _stored(read: Sequence[_Read], importer: Importer, pool: ThreadPoolExecutor) -> Iterator[Taken]:
    actor = importer.received.actor
    known = find_ids(importer.engine, actor.tenant, HISTORY_SERVICE, [one.key for one in read])
    new = [one for one in read if one.key not in known]
    ids = known | dict(zip([one.key for one in new], pool.map(_submit(importer), new), strict=True))

    def change(transaction: Transaction) -> Applied[list[Taken]]:
        subjects = read_subjects(transaction, actor.tenant, actor.environment, list(ids.values()))
        taken: list[Taken] = []
        audited: list[AuditEvent] = []
        for one in read:
            found, events = _label(transaction, one, subjects[ids[one.key]], importer.received)
            taken.append(found)
            audited += events
        return Applied(taken, audited)

    yield from importer.writer.submit_change(change)


def _submit(importer: Importer) -> Callable[[_Read], UUID]:
    asked_by = importer.received.actor

    def submit(one: _Read) -> UUID:
        prediction = assess(
            one.snapshot,
            prediction_id=new_prediction_id(one.row.at),
            models=importer.models,
            policy=importer.site.assessment,
            site_hash=importer.site.hash,
        )
        asked = Asked(
            actor=asked_by,
            service=HISTORY_SERVICE,
            language="en",
            request_hash=sha256(one.key.encode()).digest(),
            hook=SYNTHETIC if importer.synthetic else "",
            hook_instance=one.key,
        )
        return importer.writer.submit(entry_from_prediction(prediction, asked, reply=b"", shown=False)).id

    return submit


def _label(
    transaction: Transaction, one: _Read, subject: Subject, received: Received
) -> tuple[Taken, list[AuditEvent]]:
    """Enter what the row says, if it is not what was said; a label of the visit with other inputs is taken back."""
    row, tenant = one.row, received.actor.tenant
    patient_key = received.keyring.patient_key(tenant, row.key[0])
    last = _last_words(labels_of_threads(transaction, tenant, patient_key, f"import:{one.visit[:_KEPT]}:"))
    mine = last.pop(one.thread, None)
    audited: list[AuditEvent] = []
    for other in last.values():
        if other.kind is Kind.LABEL:
            audited += enter_label(transaction, _withdrawal(other, received), received)[1]
    if (
        mine is not None
        and mine.kind is Kind.LABEL
        and _facts(mine) == (row.category, row.icu_admission, row.diagnosis)
    ):
        return Taken(row.line, "changed" if audited else "same", mine.quarantine), audited
    label = _new_label(one, subject.id, patient_key, mine, received)
    entered, new = enter_label(transaction, label, received, subject=subject)
    is_known = bool(last) or mine is not None
    return Taken(row.line, "changed" if is_known else "new", entered.quarantine), [*audited, *new]


def _last_words(events: Iterable[Label]) -> dict[str, Label]:
    """What each thread said last: a label, or that it was taken back."""
    said = sorted((event for event in events if event.kind is not Kind.RELEASE), key=lambda event: event.stands_at)
    return {event.thread: event for event in said}


def _facts(label: Label) -> tuple[str | None, bool | None, tuple[str, str] | None]:
    diagnosis = (label.code_system, label.code) if label.code_system and label.code else None
    return label.category, label.icu_admission, diagnosis


def _new_label(one: _Read, prediction_id: UUID, patient_key: str, before: Label | None, received: Received) -> Label:
    row = one.row
    system, code = row.diagnosis or (None, None)
    earlier = None if before is None else str(before.id)
    return Label(
        id=label_id(received, "import", one.thread, row.category, row.icu_admission, row.diagnosis, earlier),
        kind=Kind.LABEL,
        thread=one.thread,
        source=Source.IMPORT,
        **received.caller,
        author="",
        observed_at=row.at,
        stands_at=received.at,
        saw_prediction="no",
        prediction_id=prediction_id,
        patient_key=patient_key,
        category=row.category,
        code_system=system,
        code=code,
        icu_admission=row.icu_admission,
        refers_to=before.id if before is not None and before.kind is Kind.LABEL else None,
    )


def _withdrawal(label: Label, received: Received) -> Label:
    """The end of a thread: what the visit measured was corrected, so its label belongs to another prediction."""
    return replace(
        label,
        id=label_id(received, "import-withdrawal", str(label.id)),
        kind=Kind.WITHDRAWAL,
        actor=received.actor.name,
        role=received.actor.role,
        stands_at=received.at,
        received_at=received.at,
        category=None,
        code_system=None,
        code=None,
        icu_admission=None,
        refers_to=label.id,
        quarantine=None,
    )
