"""Tabulates path-dependent TreeSHAP: every unit of splits, every pattern of answers, every column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cds_service.inference.explain import UNIT_SPLITS
from training.trees import Forest, Tree


def shap_arrays(forest: Forest) -> dict[str, NDArray[Any]]:
    """The arrays of `inference.explain.ShapTable` for a forest of trees of depth 4 or less."""
    units = [(tree, *unit) for tree in forest.trees for unit in _units(tree, 0, ())]
    slots = np.zeros((len(units), UNIT_SPLITS), dtype=np.int16)
    limits = np.full((len(units), UNIT_SPLITS), np.inf, dtype=np.float32)
    tables = []
    for index, (tree, splits, leaves) in enumerate(units):
        for bit, node in enumerate(splits):
            slots[index, bit], limits[index, bit] = _condition(tree, node, forest.n_columns)
        tables.append(_unit_table(tree, splits, leaves, forest.n_columns))
    sizes = [len(table) for table in tables]
    return {
        "slots": slots.ravel(),
        "limits": limits.ravel(),
        "offsets": np.cumsum([0, *sizes[:-1]], dtype=np.int32),
        "rows": np.concatenate(tables).astype(np.float32),
        "bias": np.array(forest.bias),
    }


def _units(tree: Tree, node: int, above: tuple[int, ...]) -> Iterator[tuple[list[int], list[int]]]:
    """Splits and leaves of the fewest subtrees that need at most eight splits each, those above them included."""
    splits = tree.splits(node)
    if len(above) + len(splits) <= UNIT_SPLITS:
        yield [*above, *splits], _leaves(tree, node)
        return
    for child in (tree.left[node], tree.right[node]):
        yield from _units(tree, child, (*above, node))


def _leaves(tree: Tree, node: int) -> list[int]:
    if tree.is_leaf(node):
        return [node]
    return _leaves(tree, tree.left[node]) + _leaves(tree, tree.right[node])


def _condition(tree: Tree, node: int, n_columns: int) -> tuple[int, np.float32]:
    """Slot and limit whose comparison is 1 for the branch that a missing value does not take.

    Missing left: x >= limit, the right branch. Missing right: x < limit, written as -x >= the float just over -limit.
    """
    limit = np.float32(tree.limit[node])
    if tree.missing_left[node]:
        return tree.column[node], limit
    return n_columns + tree.column[node], np.nextafter(-limit, np.float32(np.inf))


def _unit_table(tree: Tree, splits: Sequence[int], leaves: Sequence[int], n_columns: int) -> NDArray[np.float64]:
    """Contributions of a unit's leaves to each column, for every pattern of answers, shape (2 ** splits, n_columns)."""
    patterns = np.arange(2 ** len(splits))
    goes_left = {node: ((patterns >> bit) & 1 == 1) != tree.missing_left[node] for bit, node in enumerate(splits)}
    table = np.zeros((len(patterns), n_columns))
    for leaf in leaves:
        for column, contribution in _leaf_contributions(tree, leaf, goes_left).items():
            table[:, column] += contribution
    return table


def _leaf_contributions(
    tree: Tree, leaf: int, goes_left: dict[int, NDArray[np.bool_]]
) -> dict[int, NDArray[np.float64]]:
    """Shapley values of one leaf's game: a column in the coalition follows x, one outside it the training shares."""
    followed: dict[int, NDArray[np.float64]] = {}
    averaged: dict[int, float] = {}
    for parent, child in _path(tree, leaf):
        column = tree.column[parent]
        met = goes_left[parent] == (child == tree.left[parent])
        followed[column] = followed.get(column, np.ones(len(met))) * met
        averaged[column] = averaged.get(column, 1.0) * tree.share[child]
    return {column: tree.limit[leaf] * _shapley(column, followed, averaged) for column in followed}


def _shapley(column: int, followed: dict[int, NDArray[np.float64]], averaged: dict[int, float]) -> NDArray[np.float64]:
    others = [other for other in followed if other != column]
    total = np.zeros(len(followed[column]))
    for size in range(len(others) + 1):
        weight = factorial(size) * factorial(len(others) - size) / factorial(len(others) + 1)
        for inside in combinations(others, size):
            product = np.full(len(total), weight)
            for other in others:
                product *= followed[other] if other in inside else averaged[other]
            total += product
    return total * (followed[column] - averaged[column])


def _path(tree: Tree, leaf: int) -> list[tuple[int, int]]:
    """(parent, child) steps from the leaf up to the root."""
    parents = {child: node for node in range(len(tree.left)) for child in (tree.left[node], tree.right[node])}
    steps, node = [], leaf
    while node != 0:
        steps.append((parents[node], node))
        node = parents[node]
    return steps
