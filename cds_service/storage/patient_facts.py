"""What is known of patients beyond one prediction, as of a moment: records that are one patient's, and diagnoses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from cds_service.domain.label import Label, current_labels
from cds_service.storage.erasure_list import read_erased
from cds_service.storage.label_ledger import LABEL_COLUMNS, label_from_row
from cds_service.storage.tables import labels, patient_events, prediction_readings, predictions, readings


class Diagnosed(NamedTuple):
    """A diagnosis of a patient that holds, and when it was observed."""

    observed_at: datetime
    system: str
    code: str


class PatientFacts(NamedTuple):
    """The one key of a patient with several records; by it, diagnoses of each patient, oldest first, and the erased."""

    joined: Mapping[str, str]
    diagnoses: Mapping[str, tuple[Diagnosed, ...]]
    erased: frozenset[str]

    def key_of(self, patient_key: str) -> str:
        """The key all records of this patient share here."""
        return self.joined.get(patient_key, patient_key)

    def is_erased(self, patient_key: str | None) -> bool:
        """Whether the patient was erased, under this record or one joined with it."""
        return patient_key is not None and self.key_of(patient_key) in self.erased


def read_patient_facts(connection: Connection, as_of: datetime) -> PatientFacts:
    """All that had arrived by `as_of` of patients of production."""
    joined = one_key_each(_pairs(connection, as_of))
    diagnoses: dict[str, list[Label]] = defaultdict(list)
    of_patients = labels.c.prediction_id.is_(None) & labels.c.patient_key.is_not(None)
    for row in connection.execute(select(*LABEL_COLUMNS).where(of_patients, labels.c.received_at <= as_of)):
        label = label_from_row(row)
        diagnoses[joined.get(str(label.patient_key), str(label.patient_key))].append(label)
    erased = frozenset(joined.get(key, key) for key in read_erased(connection))
    return PatientFacts(joined, {key: _diagnosed(events, as_of) for key, events in diagnoses.items()}, erased)


def one_key_each(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """For every key of a pair the least of all keys it is joined with, through however many pairs."""
    into: dict[str, str] = {}

    def root(key: str) -> str:
        while (further := into.setdefault(key, key)) != key:
            into[key] = key = into[further]
        return key

    for one, other in pairs:
        least, most = sorted((root(one), root(other)))
        into[most] = least
    return {key: root(key) for key in into}


def _pairs(connection: Connection, as_of: datetime) -> Iterator[tuple[str, str]]:
    """Records ever said to be one patient's or to have exchanged a visit, and records a card was made of together.

    What was parted later stays a pair: that too many rows stand in one part of a split costs little, that one patient
    stands in two makes figures too good.
    """
    said = select(patient_events.c.patient_key, patient_events.c.other_key).where(
        patient_events.c.environment == "production",
        patient_events.c.other_key.is_not(None),
        patient_events.c.received_at <= as_of,
    )
    used = (
        select(predictions.c.patient_key, readings.c.patient_key)
        .join(prediction_readings, prediction_readings.c.prediction_id == predictions.c.id)
        .join(
            readings,
            (readings.c.message_id == prediction_readings.c.message_id)
            & (readings.c.number == prediction_readings.c.number),
        )
        .where(
            predictions.c.environment == "production",
            predictions.c.patient_key.is_not(None),
            predictions.c.created_at <= as_of,
        )
        .distinct()
    )
    for query in (said, used):
        yield from ((row[0], row[1]) for row in connection.execute(query))


def _diagnosed(events: list[Label], as_of: datetime) -> tuple[Diagnosed, ...]:
    found = current_labels(events, as_of)
    return tuple(sorted(Diagnosed(one.observed_at, str(one.code_system), one.code) for one in found if one.code))
