"""What holds of a prediction when several clinicians labelled it: one vote each, a policy, and how far they agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

# Why there is no truth although there are votes.
TIED, DISPUTED = "tied", "disputed"

# How much a role is believed by the policy `senior`; chosen by us: a steward reviews data, a system only passes it on.
_SENIORITY = {"clinician": 1, "steward": 2, "admin": 2}
ADJUDICATORS = frozenset({"steward", "admin"})
# Pairs of clinicians with fewer predictions in common say nothing of their agreement; chosen by us.
LEAST_IN_COMMON = 30


class Vote(NamedTuple):
    """What a label that holds says, and whose judgment it is (`Label.by`)."""

    by: str
    role: str
    source: str
    saw_prediction: str
    category: str | None = None
    icu_admission: bool | None = None
    code_system: str | None = None
    code: str | None = None


class Voice(Protocol):
    """What has somebody's judgment in it: a label, or a vote."""

    @property
    def by(self) -> str:
        """Whose judgment it is."""

    @property
    def role(self) -> str:
        """Their role."""


Said = TypeVar("Said", bound=Voice)
Votes = Sequence[Vote]


def votes_on(fact: str, current: Sequence[Said]) -> tuple[Said, ...]:
    """The last word of each clinician on this fact, oldest first, of labels that hold (`current_labels`)."""
    if len(current) == 1:
        return (current[0],) if getattr(current[0], fact) is not None else ()
    last: dict[str, Said] = {}
    for label in current:
        if getattr(label, fact) is not None:
            last.pop(label.by, None)
            last[label.by] = label
    return tuple(last.values())


def settle(policy: str, fact: str, votes: Sequence[Said]) -> Said | str:
    """The vote that is believed, or why none is. `votes` is not empty, and the oldest comes first."""
    if len(votes) == 1:
        return votes[0]
    believed: Said | str = _POLICIES[policy](fact, votes)
    return believed


def _latest(_fact: str, votes: Sequence[Said]) -> Said:
    return votes[-1]


def _majority(fact: str, votes: Sequence[Said]) -> Said | str:
    counts = Counter(getattr(vote, fact) for vote in votes).most_common(2)
    if len(counts) > 1 and counts[0][1] == counts[1][1]:
        return TIED
    return next(vote for vote in reversed(votes) if getattr(vote, fact) == counts[0][0])


def _senior(_fact: str, votes: Sequence[Said]) -> Said:
    ranks = [_SENIORITY.get(vote.role, 0) for vote in votes]
    return next(vote for vote, rank in zip(reversed(votes), reversed(ranks), strict=True) if rank == max(ranks))


def _adjudicate(fact: str, votes: Sequence[Said]) -> Said | str:
    """A steward's word settles what others dispute; without one only what all say alike is believed."""
    decided = [vote for vote in votes if vote.role in ADJUDICATORS]
    if decided:
        return decided[-1]
    return votes[-1] if len({getattr(vote, fact) for vote in votes}) == 1 else DISPUTED


_POLICIES: Mapping[str, Callable[[str, Sequence[Any]], Any]] = MappingProxyType(
    {"latest": _latest, "majority": _majority, "senior": _senior, "adjudicate": _adjudicate}
)


class Agreement:
    """How far clinicians agreed on predictions several of them labelled; fed one prediction at a time."""

    def __init__(self) -> None:
        self._items = 0
        self._agreeing = 0.0
        self._classes: Counter[object] = Counter()
        self._pairs: dict[tuple[str, str], Counter[tuple[object, object]]] = {}

    def add(self, fact: str, votes: Sequence[Voice]) -> None:
        """Count the votes on one prediction; one alone says nothing of agreement."""
        if len(votes) < 2:
            return
        said = {vote.by: getattr(vote, fact) for vote in votes}
        counts = Counter(said.values())
        self._items += 1
        self._agreeing += sum(n * (n - 1) for n in counts.values()) / (len(said) * (len(said) - 1))
        for value, n in counts.items():
            self._classes[value] += n
        for pair in combinations(sorted(said), 2):
            self._pairs.setdefault(pair, Counter())[said[pair[0]], said[pair[1]]] += 1

    def document(self) -> dict[str, object]:
        """Fleiss' kappa over all, Cohen's for each pair with enough in common; nobody is named."""
        pairs = [(sum(table.values()), cohen_kappa(table)) for table in self._pairs.values()]
        return {
            "predictions": self._items,
            "fleiss": self._fleiss(),
            "cohen": [
                {"predictions": n, "kappa": kappa}
                for n, kappa in sorted(pairs, key=lambda pair: (-pair[0], pair[1] or 0.0))
                if n >= LEAST_IN_COMMON
            ],
        }

    def _fleiss(self) -> float | None:
        """Fleiss' kappa with any number of raters for each item; None where nobody, or everybody always, agreed.

        Source: Fleiss 1971 (doi:10.1037/h0031619); shares of classes are weighed by votes.
        """
        total = sum(self._classes.values())
        if not total:
            return None
        by_chance = sum((n / total) ** 2 for n in self._classes.values())
        return _kappa(self._agreeing / self._items, by_chance)


def cohen_kappa(table: Mapping[tuple[object, object], int]) -> float | None:
    """Cohen's kappa of two raters from the counts of what each said; None where both said one thing only.

    Source: Cohen 1960 (doi:10.1177/001316446002000104).
    """
    total = sum(table.values())
    first, second = Counter[object](), Counter[object]()
    for (one, other), n in table.items():
        first[one] += n
        second[other] += n
    by_chance = sum(first[value] * second[value] for value in first) / total**2
    return _kappa(sum(n for (one, other), n in table.items() if one == other) / total, by_chance)


def _kappa(observed: float, by_chance: float) -> float | None:
    return None if by_chance == 1 else round((observed - by_chance) / (1 - by_chance), 6)
