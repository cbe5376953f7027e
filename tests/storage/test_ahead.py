"""Reading by a process of its own: the same in the same order, its failures raised here, nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import active_children

import pytest

from cds_service.errors import Unavailable
from cds_service.storage.ahead import read_ahead


def counting(upto: int, then: Callable[[], None]) -> Iterator[list[int]]:
    for number in range(upto):
        yield [number] * 1000
    then()


def fail() -> None:
    raise Unavailable("is away", where="database")


def die() -> None:
    os._exit(3)


@pytest.mark.parametrize(("then", "said"), [(fail, "database: is away"), (die, "ended early")])
def test_what_was_read_is_given_before_the_failure_is_raised(then: Callable[[], None], said: str) -> None:
    given = []

    with pytest.raises(Unavailable, match=said):
        given.extend(read_ahead(partial(counting, 3, then), list[int]))

    assert given == [[number] * 1000 for number in range(3)]
    assert active_children() == []


def test_who_listens_no_more_leaves_no_process_behind() -> None:
    heard = read_ahead(partial(counting, 10_000, fail), list[int])
    first = next(heard)

    heard.close()  # type: ignore[attr-defined]

    assert first == [0] * 1000
    assert active_children() == []
