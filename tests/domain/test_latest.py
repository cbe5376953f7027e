"""Which readings stand, whatever order they arrive in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations, product
from typing import Any
from uuid import UUID

import pytest

from cds_service.domain.latest import UNDATED, Arrived, overtaken_by, standing_readings
from cds_service.domain.patient import NotUsed

T0 = datetime(2026, 3, 14, 8, 0, tzinfo=UTC)


def arrived(value: float | None = 80.0, **changes: Any) -> Arrived:
    plain: dict[str, Any] = {
        "message_id": UUID(int=1),
        "number": 0,
        "sender": "MONITOR|ED",
        "statement": b"s",
        "name": "heart_rate",
        "value": value,
        "reason": None if value is not None else "entered-in-error",
        "detail": "",
        "alarming": False,
        "original": "" if value is None else f"{value:g} /min",
        "change": "none",
        "taken_at": T0,
        "received_at": T0,
        "source": "M1 OBX[1]",
    }
    return Arrived(**{**plain, **changes})


def minutes(number: int) -> datetime:
    return T0 + timedelta(minutes=number)


def values(*stored: Arrived) -> list[Any]:
    return sorted(reading.value for reading, _ in standing_readings(stored)[0])


FIRST = arrived(80, received_at=minutes(1))
CORRECTION = arrived(95, change="corrects", received_at=minutes(2))
WITHDRAWAL = arrived(None, change="withdraws", received_at=minutes(3))
LATER_CORRECTION = arrived(99, change="corrects", received_at=minutes(4))


@pytest.mark.parametrize("order", list(permutations([FIRST, CORRECTION])), ids=["in-order", "correction-first"])
def test_a_correction_counts_in_whichever_order_it_comes(order: tuple[Arrived, ...]) -> None:
    assert values(*order) == [95]


def test_a_correction_that_came_before_what_it_corrects_still_counts() -> None:
    assert values(arrived(95, change="corrects", received_at=minutes(1)), arrived(80, received_at=minutes(2))) == [95]


def test_a_withdrawal_takes_the_whole_reading_back_and_says_so() -> None:
    standing, unused = standing_readings([FIRST, CORRECTION, WITHDRAWAL])

    assert standing == []
    assert [(one.reason, one.original) for one in unused] == [(NotUsed.ENTERED_IN_ERROR, "80 /min")]


def test_a_withdrawal_that_came_before_its_reading_still_counts() -> None:
    assert values(arrived(None, change="withdraws"), FIRST) == []


def test_a_correction_after_a_withdrawal_stands() -> None:
    assert values(FIRST, CORRECTION, WITHDRAWAL, LATER_CORRECTION) == [99]


def test_a_withdrawal_of_another_value_leaves_a_later_one() -> None:
    withdrawn = arrived(None, change="withdraws", original="80 /min", received_at=minutes(2))

    assert values(FIRST, withdrawn, arrived(85, received_at=minutes(3))) == [85]


def test_a_null_clears_what_the_same_sender_said_until_then() -> None:
    null = arrived(None, change="clears", statement=b"t", taken_at=minutes(5), received_at=minutes(5))
    later = arrived(90, taken_at=minutes(6), received_at=minutes(6))
    another = arrived(70, sender="OTHER|ED", taken_at=minutes(4))

    assert values(FIRST, null, later, another) == [70, 90]


@pytest.mark.parametrize(
    "change", [{"sender": "OTHER|ED"}, {"statement": b"t"}, {"name": "spo2"}, {"taken_at": minutes(1)}]
)
def test_a_correction_is_of_one_sender_statement_sign_and_moment(change: dict[str, Any]) -> None:
    assert values(FIRST, CORRECTION._replace(**change)) == [80, 95]


OVERTAKING = {
    "correction": CORRECTION,
    "withdrawal": WITHDRAWAL,
    "null": arrived(None, change="clears", statement=b"t", taken_at=minutes(5)),
    "withdrawal-of-no-moment": arrived(None, change="withdraws", taken_at=minutes(5), flags=(UNDATED,)),
}


@pytest.mark.parametrize("case", OVERTAKING)
def test_the_first_statement_that_takes_a_reading_back_is_found_among_others(case: str) -> None:
    by, later = OVERTAKING[case], arrived(None, change="clears", taken_at=minutes(9))
    beside = arrived(98, name="spo2")

    assert overtaken_by([beside, FIRST], [CORRECTION._replace(name="spo2", statement=b"t"), by, later]) is by
    assert overtaken_by([beside], [by]) is None


def test_nothing_of_another_sign_sender_or_an_earlier_moment_takes_a_reading_back() -> None:
    """What the storage asks for by name and moment is all that counts."""
    own = [FIRST, arrived(85, taken_at=minutes(2)), arrived(90, change="corrects", statement=b"u")]
    elsewhere: list[dict[str, Any]] = [
        {"name": "spo2"},
        {"sender": "OTHER|ED"},
        {"taken_at": minutes(-1)},
        {"taken_at": None},
    ]
    others = [
        arrived(None, change=change, statement=statement, flags=flags, received_at=received_at, taken_at=taken_at)
        for change, statement, flags, received_at, taken_at in product(
            ("corrects", "withdraws", "clears"), (b"s", b"u"), ((), (UNDATED,)), (T0, minutes(9)), (T0, minutes(9))
        )
    ]

    assert any(overtaken_by(own, [by]) for by in others)
    assert overtaken_by(own, [by._replace(**changes) for by in others for changes in elsewhere]) is None
