"""What is counted later is counted once, whoever notes and whoever asks."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Thread

from cds_service.monitoring import metrics
from cds_service.monitoring.later import MOST, Later

ROUTE = {"route": "/of-this-test"}
SECONDS = (0.0004, 0.001, 0.3, 0.3, 9.0)


def test_what_threads_note_while_others_ask_is_counted_once() -> None:
    counted: list[tuple[int, int]] = []
    later = Later(counted.extend)

    def note(name: int) -> None:
        for number in range(2000):
            later.note((name, number))
            if number % 37 == 0:
                later.settle()

    threads = [Thread(target=note, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    later.settle()

    assert sorted(counted) == [(name, number) for name in range(4) for number in range(2000)]
    assert [number for name, number in counted if name == 2] == list(range(2000))


def test_where_nobody_asks_no_more_waits_than_so_much() -> None:
    counted: list[int] = []
    later = Later[int](counted.extend)

    for number in range(3 * MOST + 5):
        later.note(number)

    assert counted == list(range(3 * MOST))


def test_what_waits_to_be_counted_is_in_the_metrics_whenever_they_are_asked() -> None:
    def stood(name: str, **labels: str) -> float:
        return metrics.REGISTRY.get_sample_value(name, {**ROUTE, **labels}) or 0.0

    for seconds in SECONDS:
        metrics.count_request(ROUTE["route"], 200, seconds)
        assert b'route="/of-this-test",status="200"' in metrics.exposition()

    assert stood("cds_http_requests_total", status="200") == len(SECONDS)
    assert stood("cds_http_request_seconds_sum") == sum(SECONDS)
    assert [stood("cds_http_request_seconds_bucket", le=le) for le in ("0.001", "0.25", "0.5", "+Inf")] == [2, 2, 4, 5]


def test_a_count_that_fails_is_told_to_whoever_asks_and_ends_no_later_one() -> None:
    counted: list[int] = []

    def count(numbers: Sequence[int]) -> None:
        if 0 in numbers:
            raise ValueError("no zero")
        counted.extend(numbers)

    later = Later(count)
    later.note(0)
    try:
        later.settle()
    except ValueError:
        later.note(1)
    later.settle()

    assert counted == [1]
