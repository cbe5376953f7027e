"""In which order a reviewer sees predictions that nobody has confirmed: what teaches most, and a fair sample.

Asking only for doubtful cases would make the labels a picture of the doubts of one model. So a fixed share of every
stretch of the queue is drawn without looking at the model at all, and a share is kept for rare classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from uuid import UUID

# Of each block of five: one drawn at random, one of a rare class, three by what they teach. Chosen by us; a fifth at
# random is the least that still gives unweighted estimates of performance from some hundred labels.
BLOCK = ("random", "informative", "rare", "informative", "informative")


@dataclass(frozen=True, slots=True)
class Unreviewed:
    """A prediction without a label.

    `probabilities` are those of the classes, or of no and yes; at least two. `novelty` is the distance from what the
    model was trained on, larger is stranger. `set_size` is how many classes the conformal set holds, 1 where there is
    none. `is_rare` says that a class of few labels is among the likely ones.
    """

    id: UUID
    probabilities: tuple[float, ...]
    novelty: float
    set_size: int
    is_rare: bool

    @property
    def margin(self) -> float:
        """By how much the likeliest class leads the next; 0 is undecided."""
        first, second = sorted(self.probabilities, reverse=True)[:2]
        return first - second


def review_order(candidates: Iterable[Unreviewed], *, seed: str, answered: int = 0) -> tuple[UUID, ...]:
    """The ids in the order to ask for; the same for the same candidates and seed, however they come.

    Every stretch of the queue from its start is at least a fifth random while candidates last. `answered` is how many
    the reviewer has had: the queue goes on within its block, so that a queue asked for anew each time keeps its shares.
    """
    drawn = sorted(candidates, key=lambda candidate: _draw(seed, candidate.id))
    taught = _by_teaching(drawn)
    queues = {
        "random": iter(drawn),
        "informative": iter(taught),
        "rare": iter([candidate for candidate in taught if candidate.is_rare]),
    }
    order: dict[UUID, None] = {}
    kinds = cycle(BLOCK[answered % len(BLOCK) :] + BLOCK[: answered % len(BLOCK)])
    while len(order) < len(drawn):
        for name in (next(kinds), "informative"):
            found = next((c.id for c in queues[name] if c.id not in order), None)
            if found is not None:
                order[found] = None
                break
    return tuple(order)


def _by_teaching(candidates: Sequence[Unreviewed]) -> list[Unreviewed]:
    """By the sum of the ranks of a small margin, a large novelty and a large conformal set; ties as they came."""
    ranks: dict[UUID, int] = dict.fromkeys((candidate.id for candidate in candidates), 0)
    for values in (
        {c.id: c.margin for c in candidates},
        {c.id: -c.novelty for c in candidates},
        {c.id: -float(c.set_size) for c in candidates},
    ):
        places = {value: place for place, value in enumerate(sorted(set(values.values())))}
        for found, value in values.items():
            ranks[found] += places[value]
    return sorted(candidates, key=lambda candidate: ranks[candidate.id])


def _draw(seed: str, prediction: UUID) -> bytes:
    """A lot that depends on nothing the model said."""
    return hashlib.sha256(seed.encode() + b"\0" + prediction.bytes).digest()
