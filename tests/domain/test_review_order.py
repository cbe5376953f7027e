"""The review queue: doubtful, strange and rare cases first, and a fifth that nothing chose."""

from __future__ import annotations

import random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.domain.review_order import BLOCK, Unreviewed, review_order


def _candidate(number: int, **values: object) -> Unreviewed:
    given_values = {"probabilities": (0.9, 0.1), "novelty": 0.0, "set_size": 1, "is_rare": False} | values
    return Unreviewed(id=UUID(int=number), **given_values)  # type: ignore[arg-type]


def _many(count: int) -> list[Unreviewed]:
    rng = random.Random(4)
    return [
        _candidate(
            number,
            probabilities=(p := rng.random(), 1 - p),
            novelty=rng.random(),
            set_size=rng.randint(1, 3),
            is_rare=rng.random() < 0.05,
        )
        for number in range(count)
    ]


@given(st.integers(0, 60), st.randoms(use_true_random=False))
def test_every_candidate_comes_once_whatever_the_order_they_came_in(count: int, shuffler: random.Random) -> None:
    candidates = _many(count)
    order = review_order(candidates, seed="a")
    assert sorted(order) == sorted(candidate.id for candidate in candidates)
    shuffler.shuffle(candidates)
    assert review_order(candidates, seed="a") == order


def test_every_stretch_from_the_start_holds_a_fifth_drawn_without_looking() -> None:
    """What a stretch shares with any other model's queue of the same lots is what nobody chose."""
    candidates = _many(300)
    other = [_candidate(c.id.int, probabilities=(1.0, 0.0), novelty=float(c.id.int)) for c in candidates]
    ours, theirs = review_order(candidates, seed="a"), review_order(other, seed="a")
    for end in range(5, 101, 5):
        assert len(set(ours[:end]) & set(theirs[:end])) >= end // 5
    assert ours[0] == theirs[0]
    assert ours[0] != review_order(candidates, seed="b")[0]


@pytest.mark.parametrize(
    "value", [{"probabilities": (0.5, 0.5)}, {"novelty": 9.0}, {"set_size": 4}], ids=["margin", "novelty", "set size"]
)
def test_what_teaches_more_comes_first(value: dict[str, object]) -> None:
    candidates = [_candidate(number) for number in range(50)] + [_candidate(99, **value)]
    place = review_order(candidates, seed="a").index(UUID(int=99))
    assert place <= BLOCK.index("informative")


def test_a_rare_class_has_its_place_in_each_block_though_the_model_is_sure() -> None:
    dull = {"probabilities": (1.0, 0.0), "novelty": -1.0}
    candidates = [_candidate(number) for number in range(100)]
    candidates += [_candidate(number, is_rare=True, **dull) for number in range(200, 204)]
    order = review_order(candidates, seed="a")
    assert sum(candidate.int >= 200 for candidate in order[:20]) == 4
    assert sum(candidate.int >= 200 for candidate in order[:5]) == 1


def test_the_margin_of_several_classes_is_that_of_the_first_two() -> None:
    assert _candidate(1, probabilities=(0.2, 0.5, 0.3)).margin == pytest.approx(0.2)


def test_a_queue_asked_for_anew_after_each_answer_keeps_its_shares() -> None:
    left = _many(200)
    taken = []
    for answered in range(20):
        first = review_order(left, seed="a", answered=answered)[0]
        alone = [review_order(left, seed="a", answered=kind)[0] for kind in range(len(BLOCK))]
        taken.append(alone.index(first) if first in alone else None)
        assert first == alone[answered % len(BLOCK)]
        left = [candidate for candidate in left if candidate.id != first]
    assert taken.count(0) >= 4
