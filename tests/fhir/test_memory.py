from __future__ import annotations

from cds_service.fhir.memory import Remembered


def test_an_answer_is_worked_out_once_and_kept_if_it_may_be_while_there_is_room() -> None:
    asked: list[int] = []

    def double(number: int) -> int:
        asked.append(number)
        return 2 * number

    doubles = Remembered(double, keeps=lambda number, _: number < 10, room=2)

    assert [doubles[number] for number in (1, 1, 10, 10, 2, 1, 3)] == [2, 2, 20, 20, 4, 2, 6]
    assert asked == [1, 10, 10, 2, 3]
    assert dict(doubles) == {3: 6}
