"""A second stage on trial: a monotone re-ranker of the first hundred, judged on diseases it was not trained on.

Nothing rewards what published cases have and patients have not: exclusions and the number of a disease's annotations
are no inputs, and every input may only raise, or only lower, a candidate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold
from xgboost import DMatrix, train

from cds_service.domain.ontology import Floats, Ints
from cds_service.inference.ranker import Ranker, best_rows
from cds_service.inference.ranker_bench import LISTED, Case, Ranked, groups_of, interval, ranked_cases
from cds_service.inference.ranker_query import Query, is_too_young, is_unlikely_sex

PROTOCOLS = ("K", "R", "S", "C")
# Fitted under S, the protocol nearest to use with enough cases; the two that decide.
_FITTED_UNDER, _DECIDING = "S", ("C", "R")
_CANDIDATES, _PER_DISEASE, _FOLDS = 100, 6, 5
# Name and direction of each input; 0 for what is the same for all candidates of a case.
INPUTS = {
    "score": 1,
    "behind_the_best": -1,
    "ratio_mean": 1,
    "ratio_largest": 1,
    "ratio_smallest": 1,
    "ratio_best_three": 1,
    "similarity_mean": 1,
    "agreeing": 1,
    "coverage": 1,
    "contradicted": -1,
    "n_findings": 0,
}
_PARAMETERS: Mapping[str, Any] = {
    "objective": "rank:ndcg",
    "tree_method": "hist",
    "eta": 0.1,
    "max_depth": 4,
    "min_child_weight": 5,
    "subsample": 0.8,
    "seed": 17,
    "nthread": 2,
    "monotone_constraints": tuple(INPUTS.values()),
}
_ROUNDS = 120


class Group(NamedTuple):
    """One case under one protocol: its best candidates with their inputs, which of them is right, and its rank."""

    diagnosis: str
    inputs: NDArray[np.float32]
    right: int | None
    rank: int


class Compared(NamedTuple):
    """Share of cases found in so many, before and after, and the paired difference with its 95 % interval."""

    protocol: str
    figure: str
    cases: int
    before: float
    after: float
    change: Mapping[str, float]


def tried(ranker: Ranker, cases: Sequence[Case]) -> list[Compared]:
    """The second stage against the first under every protocol, with whole diseases held out."""
    kept = _capped(cases)
    groups = {protocol: list(_groups(ranker, kept, protocol)) for protocol in PROTOCOLS}
    diseases = sorted({group.diagnosis for group in groups[_FITTED_UNDER]})
    after: dict[str, list[int]] = {protocol: [0] * len(groups[protocol]) for protocol in PROTOCOLS}
    for fitted, judged in GroupKFold(_FOLDS).split(diseases, groups=diseases):
        known, held_out = ({diseases[at] for at in part} for part in (fitted, judged))
        model = _fit([group for group in groups[_FITTED_UNDER] if group.diagnosis in known])
        for protocol, listed in groups.items():
            for at, group in enumerate(listed):
                if group.diagnosis in held_out:
                    after[protocol][at] = _rank_after(model, group)
    return [one for protocol in PROTOCOLS for one in _compared(protocol, groups[protocol], after[protocol])]


def passes(found: Iterable[Compared]) -> bool:
    """The gate: more in the first ten, surely so under C or R, and not fewer under the other."""
    deciding = [one.change for one in found if one.figure == "top10" and one.protocol in _DECIDING]
    return any(change["low"] > 0 for change in deciding) and all(change["value"] >= 0 for change in deciding)


def said(found: Sequence[Compared]) -> Iterator[str]:
    """One line for each protocol and figure, and the verdict."""
    yield f"{'':9s} {'cases':>6s} {'first stage':>12s} {'second':>8s}  paired difference (95 % by disease)"
    for one in found:
        change = {name: 100 * value for name, value in one.change.items()}
        yield (
            f"{one.protocol:2s} {one.figure:6s} {one.cases:6d} {100 * one.before:12.1f} {100 * one.after:8.1f}  "
            f"{change['value']:+.1f} ({change['low']:+.1f} to {change['high']:+.1f})"
        )
    yield "the gate is passed" if passes(found) else "the gate is not passed: the first stage stays alone"


def _groups(ranker: Ranker, cases: Sequence[Case], protocol: str) -> Iterator[Group]:
    for one in ranked_cases(ranker, cases, protocol):
        if len(one.query.observed):
            rows = best_rows(one.scores, _CANDIDATES)
            right = one.rank - 1 if one.rank <= len(rows) else None
            yield Group(one.case.diagnosis, _inputs(ranker, one, rows), right, one.rank)


def _inputs(ranker: Ranker, one: Ranked, rows: Ints) -> NDArray[np.float32]:
    """The inputs of these candidates, shape (rows, inputs), in the order of INPUTS."""
    ratio, similarity = _parts(ranker, one, rows)
    strongest = -np.sort(-ratio, axis=0)
    scores = one.scores[rows]
    columns = [
        scores,
        scores.max() - scores,
        ratio.mean(axis=0),
        strongest[0],
        strongest[-1],
        strongest[:3].mean(axis=0),
        similarity.mean(axis=0),
        (ratio > 0).mean(axis=0),
        _coverage(ranker, one)[rows],
        _contradicted(ranker, one.query, rows),
        np.full(len(rows), len(one.query.observed)),
    ]
    return np.column_stack(columns).astype(np.float32)


def _parts(ranker: Ranker, one: Ranked, rows: Ints) -> tuple[Floats, Floats]:
    """Ratio and similarity of each finding for each candidate, both (findings, rows)."""
    found: tuple[list[Floats], list[Floats]] = ([], [])
    for term in one.query.observed.tolist():
        for listed, published, own in zip(
            found, ranker.index.parts_of(term), one.learned.index.parts_of(term), strict=True
        ):
            listed.append(one.learned.merged(published, own)[rows])
    return np.array(found[0]), np.array(found[1])


def _coverage(ranker: Ranker, one: Ranked) -> Floats:
    return one.learned.merged(ranker.index.coverage(one.shared), one.learned.index.coverage(one.shared))


def _contradicted(ranker: Ranker, query: Query, rows: Ints) -> NDArray[np.bool_]:
    against = is_too_young(ranker.knowledge, query) | is_unlikely_sex(ranker.knowledge, query)
    return against[rows]


def _fit(groups: Sequence[Group]) -> Any:
    """The re-ranker of cases whose disease is among their candidates; all diseases weigh the same."""
    found = [group for group in groups if group.right is not None]
    counts = Counter(group.diagnosis for group in found)
    labels = np.concatenate([np.arange(len(group.inputs)) == group.right for group in found])
    data = DMatrix(np.concatenate([group.inputs for group in found]), labels, feature_names=list(INPUTS))
    data.set_group([len(group.inputs) for group in found])
    data.set_weight([1 / counts[group.diagnosis] for group in found])
    return train(dict(_PARAMETERS), data, _ROUNDS)


def _rank_after(model: Any, group: Group) -> int:
    """The place of the right disease among the re-ranked candidates; as before where it is not among them."""
    if group.right is None:
        return group.rank
    scores = model.predict(DMatrix(group.inputs, feature_names=list(INPUTS)))
    mine = scores[group.right]
    return 1 + int((scores > mine).sum()) + int((scores[: group.right] == mine).sum())


def _compared(protocol: str, groups: Sequence[Group], after: Sequence[int]) -> Iterator[Compared]:
    ranks = np.array([[group.rank for group in groups], after], float)
    by_disease = groups_of([group.diagnosis for group in groups])
    for figure, values in {f"top{k}": ranks <= k for k in (1, 3, LISTED)}.items():
        before, now = values.astype(float)
        change = interval(now - before, by_disease)
        yield Compared(protocol, figure, len(groups), float(before.mean()), float(now.mean()), change)


def _capped(cases: Iterable[Case]) -> list[Case]:
    """At most six cases a disease, the first of each, so that no cohort decides."""
    seen: Counter[str] = Counter()
    kept = []
    for case in cases:
        seen[case.diagnosis] += 1
        if seen[case.diagnosis] <= _PER_DISEASE:
            kept.append(case)
    return kept
