"""Days are counted once for each change to what they rest on, by one process at a time, and only from what is there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import Engine

from cds_service.domain.actor import Actor
from cds_service.domain.label import Kind, Label, Source
from cds_service.domain.patient import NotUsed
from cds_service.monitoring.day_counts import Reports, Truth, Visits, total
from cds_service.services.forget import Retention, forget_one_patient, forget_what_is_old
from cds_service.services.references import References
from cds_service.services.roll_up import Roller
from cds_service.storage.change import Applied
from cds_service.storage.label_ledger import add_label
from cds_service.storage.rollups import Part, Whose, read_counts
from cds_service.storage.writer import GroupWriter
from tests.factories import an_unused
from tests.storage.builders import keyring, store_feedback
from tests.storage.made import made, ranked

MODELS = Path(__file__).parents[2] / "models"
NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
TODAY = NOW.date()
YESTERDAY = NOW - timedelta(days=1)
NORTH = Whose("north", "production")
KINDS: Any = {Part.VISITS: Visits, Part.REPORTS: Reports, Part.TRUTH: Truth}


class Ward:
    """A database whose days are counted, and the clock they are counted by."""

    def __init__(self, engine: Engine, writer: GroupWriter) -> None:
        self.engine, self.writer, self.moment = engine, writer, NOW
        self.roller = self.another_roller()

    def another_roller(self) -> Roller:
        return Roller(self.engine, self.writer.submit_change, References(MODELS), now=lambda: self.moment)

    def store(self, *entries: Any) -> list[UUID]:
        for entry in entries:
            self.writer.submit(entry)
        return [entry.id for entry in entries]

    def counted(self, part: Part, day: date = TODAY, whose: Whose = NORTH) -> Any:
        found = [content for _, kind, content in read_counts(self.engine, whose, day, day) if kind is part]
        return total(KINDS[part], [msgspec.json.decode(content, type=KINDS[part]) for content in found])

    def label(self, prediction: UUID, **changes: Any) -> Label:
        label = Label(
            **{
                "id": uuid4(),
                "kind": Kind.LABEL,
                "thread": uuid4().hex,
                "source": Source.FORM,
                "tenant": "north",
                "environment": "production",
                "actor": "dr-house",
                "author": "",
                "role": "clinician",
                "observed_at": NOW,
                "stands_at": NOW,
                "received_at": NOW,
                "saw_prediction": "no",
                "prediction_id": prediction,
                **changes,
            }
        )
        self.writer.submit_change(lambda transaction: Applied(add_label(transaction, label, "", keyring())))
        return label


@pytest.fixture
def ward(engine: Engine, writer: GroupWriter) -> Ward:
    return Ward(engine, writer)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def test_a_day_is_what_was_assessed_shown_and_left_out(ward: Ward) -> None:
    ward.store(
        made(ago(50), "high", patient="p-1", probability=0.2),
        made(ago(40), "high", patient="p-1", spo2=None, not_used=(an_unused("spo2"),)),
        made(ago(30), "low", patient="p-2", not_used=(an_unused("temperature", NotUsed.UNKNOWN_UNIT),)),
        made(ago(20), "child", patient="p-3", shown=False),
        made(ago(10), "high", environment="test"),
        ranked(ago(5), "OMIM:154700"),
    )

    ward.roller.roll_up()

    found = ward.counted(Part.VISITS)
    assert (found.predictions, found.rankings, found.visits, found.flagged, found.shown) == (4, 1, 3, 1, 4)
    assert found.bands == {"high": 2, "low": 1, "child": 1}
    assert found.cards == {"vitals-risk": {"warning": 3}, "rare-disease": {}} or found.cards == {
        "vitals-risk": {"warning": 3}
    }
    assert found.not_used == {"spo2": {"implausible": 1}, "temperature": {"unknown-unit": 1}}
    assert found.inputs["1.0.0"]["spo2"][-1] == 1
    assert sum(found.inputs["1.0.0"]["heart_rate"]) == 4
    assert ward.counted(Part.VISITS, whose=Whose("north", "test")).predictions == 1


def test_today_goes_on_from_what_was_counted_and_counting_again_changes_nothing(ward: Ward) -> None:
    ward.store(made(ago(50), "low", patient="p-1"))
    first = ward.roller.roll_up()
    nothing = ward.roller.roll_up()
    ward.store(made(ago(1), "high", patient="p-1"))
    second = ward.roller.roll_up()

    once = ward.counted(Part.VISITS)
    ward.moment += timedelta(minutes=4)
    ward.another_roller().roll_up()

    assert (first["visits"], nothing["visits"], second["visits"]) == (1, 0, 1)
    assert (once.predictions, once.visits, once.flagged) == (2, 1, 1)
    assert ward.counted(Part.VISITS) == once


def test_what_was_stored_late_is_counted(ward: Ward) -> None:
    ward.store(made(ago(1)))
    ward.roller.roll_up()
    ward.store(made(ago(30), patient="p-2"), made(YESTERDAY, patient="p-3"))

    ward.roller.roll_up()

    assert ward.counted(Part.VISITS).predictions == 2
    assert ward.counted(Part.VISITS, YESTERDAY.date()).predictions == 1


def test_a_past_day_is_asked_for_late_rows_once_a_day(ward: Ward) -> None:
    ward.store(made(YESTERDAY))
    ward.roller.roll_up()
    ward.store(made(YESTERDAY + timedelta(minutes=1)))
    ward.moment += timedelta(days=1)

    ward.roller.roll_up()

    assert ward.counted(Part.VISITS, YESTERDAY.date()).predictions == 2


def test_late_labels_corrections_and_withdrawals_are_counted_on_the_day_of_the_prediction(ward: Ward) -> None:
    old = NOW - timedelta(days=20)
    ward.store(made(old, "high", probability=0.2, states=("acute",)))
    [prediction] = ward.store(made(old, "high", probability=0.2, states=("acute",)))
    seen = []
    ward.roller.roll_up()
    first = ward.label(prediction, category="acute", icu_admission=True, thread="t")
    for step in (
        lambda: ward.label(prediction, category="mild", icu_admission=False, thread="t", refers_to=first.id),
        lambda: ward.label(prediction, kind=Kind.WITHDRAWAL, thread="t", refers_to=first.id),
        lambda: None,
    ):
        assert ward.roller.roll_up() == {"truth": 1}
        found = ward.counted(Part.TRUTH, old.date())
        seen.append((found.labelled, found.bands, found.states))
        step()

    assert seen == [
        (1, {"high": [1, 1]}, {"acute": {"": 1, "acute": 1}}),
        (1, {"high": [1, 0]}, {"mild": {"": 1, "acute": 1}}),
        (0, {}, {}),
    ]


def test_test_labels_count_for_test_predictions_alone(ward: Ward) -> None:
    real, tried = ward.store(made(ago(5), "high"), made(ago(4), "high", environment="test"))
    ward.label(real, icu_admission=True)
    ward.label(tried, icu_admission=False, environment="test")

    ward.roller.roll_up()

    assert ward.counted(Part.TRUTH).bands == {"high": [1, 1]}
    assert ward.counted(Part.TRUTH, whose=Whose("north", "test")).bands == {"high": [1, 0]}


def test_a_named_disease_is_looked_for_in_the_list_of_its_ranking(ward: Ward) -> None:
    diseases = [f"OMIM:{154700 + number}" for number in range(12)]
    for place in (0, 9, 10):
        [ranking] = ward.store(ranked(ago(60 - place), *diseases))
        ward.label(ranking, code_system="http://www.omim.org", code=diseases[place][5:])

    ward.roller.roll_up()

    assert ward.counted(Part.TRUTH).rare == [3, 1, 2]


def test_the_report_that_holds_counts_for_the_cards_day(ward: Ward) -> None:
    old = NOW - timedelta(days=3)
    [card] = ward.store(made(old))
    ward.roller.roll_up()
    store_feedback(ward.writer, keyring(), card, reason_system="x", reason_code="y")
    assert ward.roller.roll_up() == {"reports": 1}
    overridden = ward.counted(Part.REPORTS, old.date())
    store_feedback(ward.writer, keyring(), card, outcome="accepted", outcome_timestamp=NOW + timedelta(minutes=1))
    ward.roller.roll_up()

    accepted = ward.counted(Part.REPORTS, old.date())
    assert (overridden.overridden, overridden.accepted) == ({"vitals-risk": {"other": 1}}, {})
    assert (accepted.overridden, accepted.accepted) == ({}, {"vitals-risk": 1})


def test_erasure_takes_the_patient_out_of_the_counts(ward: Ward) -> None:
    old = NOW - timedelta(days=3)
    [erased, _] = ward.store(made(old, "high", patient="p-1"), made(old, "low", patient="p-2"))
    ward.label(erased, icu_admission=True)
    ward.roller.roll_up()
    operator = Actor("command:test", "command", "operator", "north", "production")
    forget_one_patient(ward.writer.submit_change, keyring(), "p-1", actor=operator, at=NOW, reference="request 7")

    assert ward.roller.roll_up() == {"visits": 1, "reports": 1, "truth": 1}

    assert ward.counted(Part.VISITS, old.date()).bands == {"low": 1}
    assert ward.counted(Part.TRUTH, old.date()).labelled == 0


def test_the_only_patient_of_the_oldest_day_is_taken_out_too(ward: Ward) -> None:
    old = NOW - timedelta(days=3)
    ward.store(made(old, patient="p-1"))
    ward.roller.roll_up()
    operator = Actor("command:test", "command", "operator", "north", "production")
    forget_one_patient(ward.writer.submit_change, keyring(), "p-1", actor=operator, at=NOW, reference="request 7")

    ward.roller.roll_up()

    assert ward.counted(Part.VISITS, old.date()) == Visits()


def test_retention_takes_rows_and_leaves_what_they_came_to(ward: Ward) -> None:
    old = NOW - timedelta(days=40)
    ward.store(made(old, "high"), made(ago(5)))
    ward.roller.roll_up()
    operator = Actor("service", "command", "operator", "", "production")
    forget_what_is_old(ward.writer.submit_change, Retention(30), actor=operator, at=NOW)
    ward.moment += timedelta(days=1)

    ward.roller.roll_up()

    assert ward.counted(Part.VISITS, old.date()).flagged == 1


def test_one_process_counts_at_a_time_and_another_takes_over(ward: Ward) -> None:
    ward.store(made(ago(50)))
    ward.roller.roll_up()
    other = ward.another_roller()
    ward.store(made(ago(5)))

    waiting = other.roll_up()
    ward.moment += timedelta(minutes=4)
    taken_over = other.roll_up()

    assert (waiting, taken_over["visits"]) == ({}, 1)
    assert ward.counted(Part.VISITS).predictions == 2


def test_counts_name_no_patient(ward: Ward) -> None:
    ward.store(replace_patient(made(ago(5), patient="MRN-4711")))
    ward.roller.roll_up()

    with ward.engine.connect() as connection:
        stored = repr(connection.exec_driver_sql("SELECT * FROM daily_rollups").all())
    assert "4711" not in stored
    assert keyring().patient_key("north", "MRN-4711") not in stored


def replace_patient(entry: Any) -> Any:
    return msgspec.structs.replace(entry, patient=replace(entry.patient, name="Ada Ejemplo"))
