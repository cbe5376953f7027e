"""Labels of clinicians who had seen the card lean towards it: the weights that make up for it.

Where the card said c and was not seen, clinicians answered y with probability P(y | c, unseen). Among those who saw
it the same answer comes with P(y | c, seen). A row of the second kind weighs P(y | c, unseen) / P(y | c, seen): the
inverse of how much likelier the card made the answer. Rows given without sight of the card weigh 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Chosen by us. No row counts over five times another's. Every share is drawn towards the overall one by two rows, so
# that an empty cell is no zero. With fewer unseen rows than this there is nothing to compare with, and all weigh 1.
CAP = 5.0
LEAST_UNSEEN = 50
_SMOOTHING = 2.0

SEEN, UNSEEN, UNKNOWN, APART = "seen", "unseen", "unknown", "apart"


def sight(*, shown: bool, saw_prediction: str, is_history: bool) -> str:
    """Whether the label was given in sight of the card: what was never shown was never seen.

    History from before the service is apart: nobody could see a card, and its patients may be chosen otherwise.
    """
    if is_history:
        return APART
    if not shown or saw_prediction == "no":
        return UNSEEN
    return SEEN if saw_prediction == "yes" else UNKNOWN


def weights(
    sights: Sequence[str], said: Sequence[str], answered: Sequence[str], *, cap: float = CAP
) -> NDArray[np.float32]:
    """The weight of each row: by sight (`sight`), what the card said, and the class it was labelled; within 1/cap, cap.

    All 1 where fewer than `LEAST_UNSEEN` rows were labelled without sight of the card.
    """
    seen, cards, classes = (_numbered(part) for part in (sights, said, answered))
    groups = {name: seen[1] == place for place, name in enumerate(seen[0])}
    found = np.ones(len(sights), dtype=np.float32)
    reference = groups.get(UNSEEN)
    if reference is None or reference.sum() < LEAST_UNSEEN:
        return found
    shape = (len(cards[0]), len(classes[0]))
    unseen = _answers(cards[1][reference], classes[1][reference], shape)
    for name in (SEEN, UNKNOWN):
        rows = groups.get(name)
        if rows is not None:
            ratio = unseen / _answers(cards[1][rows], classes[1][rows], shape)
            found[rows] = np.clip(ratio, 1 / cap, cap)[cards[1][rows], classes[1][rows]]
    return found


def _numbered(texts: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """The different texts in order, and the place of each text among them."""
    names = sorted(set(texts))
    place = {name: number for number, name in enumerate(names)}
    return names, np.fromiter(map(place.__getitem__, texts), dtype=np.int64, count=len(texts))


def _answers(cards: NDArray[np.int64], classes: NDArray[np.int64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """P(class | card), shape (n_cards, n_classes), drawn towards the shares of all cards together."""
    counts = np.zeros(shape)
    np.add.at(counts, (cards, classes), 1)
    overall = (counts.sum(axis=0) + 1) / (counts.sum() + shape[1])
    return np.asarray((counts + _SMOOTHING * overall) / (counts.sum(axis=1, keepdims=True) + _SMOOTHING))
