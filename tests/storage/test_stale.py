"""What marking predictions stale costs the thread that writes, and that each is marked once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, Engine, event, func, insert, select

from cds_service.domain.latest import Arrived
from cds_service.storage import stale
from cds_service.storage.reading_log import crossed_from_row
from cds_service.storage.stale import mark_overtaken, mark_stale
from cds_service.storage.tables import patient_events, prediction_events, prediction_readings, readings
from tests.storage.builders import NOW

KEY, SENDER = "a" * 32, "MONITOR|ED"


def row(message_id: UUID, number: int = 0, *, minutes: float = 0, **changes: Any) -> dict[str, Any]:
    """A stored reading, taken so many minutes from now."""
    plain = {
        "tenant": "north",
        "environment": "production",
        "patient_key": KEY,
        "sender": SENDER,
        "statement": b"s",
        "name": "heart_rate",
        "value": "88.0",
        "reason": None,
        "detail": "",
        "alarming": False,
        "original": "88 /min",
        "change": "none",
        "taken_at": NOW + timedelta(minutes=minutes),
        "received_at": NOW,
        "source": "M1 OBX[1]",
        "flags": "",
        "is_under_way": True,
    }
    return {**plain, "message_id": message_id, "number": number, "prediction_id": None, **changes}


def a_null(*, minutes: float = 0) -> Arrived:
    taken_at = NOW + timedelta(minutes=minutes)
    said = {"value": None, "reason": "no-value", "detail": "", "alarming": False, "original": "", "change": "clears"}
    whose = {"message_id": uuid4(), "number": 0, "sender": SENDER, "statement": b"t", "name": "heart_rate"}
    return Arrived(**whose, **said, taken_at=taken_at, received_at=NOW, source="M2 OBX[1]")  # type: ignore[arg-type]


@contextmanager
def storing(engine: Engine, *rows: dict[str, Any]) -> Iterator[tuple[Connection, list[str]]]:
    """A transaction in which these readings are stored, and the statements sent after that."""
    sent: list[str] = []
    with engine.begin() as connection:
        connection.execute(insert(readings), list(rows))
        event.listen(connection, "before_cursor_execute", lambda *told: sent.append(told[2]))
        yield connection, sent


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The readings that were read whole."""
    read: list[object] = []

    def counted(found: Any) -> Any:
        read.append(found)
        return original(found)

    original = crossed_from_row
    monkeypatch.setattr(stale, "crossed_from_row", counted)
    return read


def test_what_was_taken_back_of_another_sign_or_moment_is_not_even_read(engine: Engine, compared: list[object]) -> None:
    scored, prediction = uuid4(), uuid4()
    before = [row(uuid4(), minutes=-1 - number, change="clears") for number in range(200)]
    others = [row(uuid4(), minutes=5, change="corrects", name="spo2") for _ in range(200)]
    with storing(engine, row(scored, prediction_id=prediction), *before, *others) as (connection, _):
        assert mark_overtaken(connection, scored, at=NOW) == []
        assert len(compared) == 1

        connection.execute(insert(readings), [row(uuid4(), change="withdraws")])
        assert mark_overtaken(connection, scored, at=NOW) == [prediction]


def test_many_readings_of_one_message_meet_only_the_newest_of_what_was_taken_back(
    engine: Engine, compared: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stale, "MOST_COMPARED", 60)
    scored, prediction = uuid4(), uuid4()
    own = [row(scored, number, statement=b"%d" % number, prediction_id=prediction) for number in range(20)]
    others = [row(uuid4(), minutes=number, statement=b"x", change="corrects") for number in range(50)]
    with storing(engine, *own, *others) as (connection, sent):
        assert mark_overtaken(connection, scored, at=NOW) == []

        assert len(compared) == len(own) + 3
        assert len(sent) == 2

        last = row(uuid4(), statement=b"7", change="corrects", received_at=NOW + timedelta(minutes=1))
        connection.execute(insert(readings), [last])
        assert mark_overtaken(connection, scored, at=NOW) == [prediction]


def test_a_null_marks_what_rests_on_a_day_in_one_statement_and_the_next_null_nothing_anew(engine: Engine) -> None:
    messages = [uuid4() for _ in range(30)]
    by_message, by_card = ([uuid4() for _ in messages] for _ in range(2))
    stored = [
        row(message, minutes=-number, prediction_id=prediction)
        for number, (message, prediction) in enumerate(zip(messages, by_message, strict=True))
    ]
    with storing(engine, *stored, row(uuid4(), minutes=-1500, prediction_id=uuid4())) as (connection, sent):
        rested = [
            {"prediction_id": card, "message_id": message, "number": 0}
            for card, message in zip(by_card, messages, strict=True)
        ]
        connection.execute(insert(prediction_readings), rested)
        sent.clear()

        first = mark_stale(connection, [(KEY, a_null())], environment="production", at=NOW)
        assert sorted(first) == sorted([*by_message, *by_card])
        assert len(sent) == 1

        nulls = [(KEY, a_null()), (KEY, a_null(minutes=1))]
        assert mark_stale(connection, nulls, environment="production", at=NOW) == []
        assert len(sent) == 3
        assert connection.execute(select(func.count()).select_from(prediction_events)).scalar_one() == 60


@pytest.mark.parametrize(
    ("went", "environment", "is_marked"),
    [
        ([("b", "merged", "a")], "production", True),
        ([("b", "merged", "c"), ("c", "merged", "a")], "production", True),
        ([("a", "linked", "b"), ("b", "linked", "a")], "production", True),
        ([("c", "merged", "a")], "production", False),
        ([("b", "merged", "a")], "test", False),
    ],
    ids=["merged", "merged over another", "linked", "another record", "another environment"],
)
def test_what_is_taken_back_under_a_joined_record_is_marked_where_it_came_before(
    engine: Engine, went: list[tuple[str, str, str]], environment: str, is_marked: bool
) -> None:
    prediction = uuid4()
    events = [
        {
            "message_id": uuid4(),
            "number": 0,
            "tenant": "north",
            "environment": environment,
            "patient_key": key * 32,
            "kind": kind,
            "other_key": other * 32,
            "received_at": NOW,
        }
        for key, kind, other in went
    ]
    with storing(engine, row(uuid4(), patient_key="b" * 32, prediction_id=prediction)) as (connection, _):
        connection.execute(insert(patient_events), events)
        marked = mark_stale(connection, [(KEY, a_null())], environment=environment, at=NOW)

    assert marked == ([prediction] if is_marked else [])
