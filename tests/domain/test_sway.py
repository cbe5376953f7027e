"""Weights against labels that lean towards the card."""

from __future__ import annotations

import numpy as np
import pytest

from cds_service.domain.sway import APART, CAP, LEAST_UNSEEN, SEEN, UNKNOWN, UNSEEN, sight, weights


@pytest.mark.parametrize(
    ("shown", "saw", "is_history", "expected"),
    [
        (True, "yes", False, SEEN),
        (True, "no", False, UNSEEN),
        (True, "unknown", False, UNKNOWN),
        (False, "yes", False, UNSEEN),
        (False, "unknown", True, APART),
    ],
)
def test_what_was_not_shown_was_not_seen(shown: bool, saw: str, is_history: bool, expected: str) -> None:
    assert sight(shown=shown, saw_prediction=saw, is_history=is_history) == expected


def swayed(n: int, seed: int) -> tuple[list[str], list[str], list[str], np.ndarray]:
    """Sights, what the card said, labels, and the truth: half of those who saw the card repeat it."""
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.2
    card = np.where(truth, rng.random(n) < 0.7, rng.random(n) < 0.1)
    seen = rng.random(n) < 0.7
    repeats = seen & (rng.random(n) < 0.5)
    label = np.where(repeats, card, truth)
    names = np.array(["no", "yes"])
    sights = np.where(seen, SEEN, UNSEEN)
    return sights.tolist(), names[card.astype(int)].tolist(), names[label.astype(int)].tolist(), truth


def test_swayed_labels_weighted_give_back_what_the_unswayed_say() -> None:
    sights, said, answered, truth = swayed(40_000, seed=11)
    found = weights(sights, said, answered)
    is_low = np.array(said) == "no"
    is_yes = np.array(answered) == "yes"
    missed = truth[is_low].mean()

    naive = is_yes[is_low].mean()
    weighted = np.average(is_yes[is_low], weights=found[is_low])

    assert naive < 0.8 * missed
    assert weighted == pytest.approx(missed, rel=0.06)


def test_rows_labelled_without_sight_and_history_weigh_one() -> None:
    sights, said, answered, _ = swayed(2_000, seed=3)
    sights[:100] = [APART] * 100

    found = weights(sights, said, answered)

    assert set(found[[name in (UNSEEN, APART) for name in sights]].tolist()) == {1.0}
    assert len(set(found[[name == SEEN for name in sights]].tolist())) == 4


def test_without_enough_rows_to_compare_with_all_weigh_one() -> None:
    sights = [UNSEEN] * (LEAST_UNSEEN - 1) + [SEEN] * 500
    labels = ["yes", "no"] * ((len(sights) + 1) // 2)

    assert set(weights(sights, labels[: len(sights)], labels[: len(sights)]).tolist()) == {1.0}


def test_no_weight_passes_the_cap() -> None:
    sights = [UNSEEN] * 1000 + [SEEN] * 1000
    said = ["no"] * 2000
    answered = ["yes"] * 900 + ["no"] * 100 + ["yes"] * 1 + ["no"] * 999

    found = weights(sights, said, answered)

    assert found.max() == CAP
    assert found.min() >= 1 / CAP
    assert weights(sights, said, answered, cap=2.0).max() == 2.0


def test_the_order_of_rows_does_not_matter() -> None:
    sights, said, answered, _ = swayed(500, seed=5)
    order = np.random.default_rng(1).permutation(500)
    mixed = weights(*([part[place] for place in order] for part in (sights, said, answered)))

    assert np.array_equal(mixed, weights(sights, said, answered)[order])
