"""Trees of a fitted booster as plain arrays, and what serving needs from them: an ONNX graph and SHAP tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import onnx
import xgboost as xgb
from numpy.typing import NDArray
from onnx import TensorProto, helper

from cds_service.inference.explain import UNIT_SPLITS

ONNX_OPSET, ONNX_ML_OPSET, ONNX_IR = 17, 3, 8
"""Versions of the written graph: the oldest that hold a regression tree ensemble, so that any runtime reads it."""


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree by node number; a leaf has `left` -1 and its value in `limit`; `share` is a node's part of its parent."""

    left: tuple[int, ...]
    right: tuple[int, ...]
    column: tuple[int, ...]
    limit: tuple[float, ...]
    missing_left: tuple[bool, ...]
    share: tuple[float, ...]

    def is_leaf(self, node: int) -> bool:
        """Whether the node has no children."""
        return self.left[node] < 0

    def splits(self, node: int) -> list[int]:
        """Numbers of the splits in the subtree of a node, parents first."""
        if self.is_leaf(node):
            return []
        return [node, *self.splits(self.left[node]), *self.splits(self.right[node])]

    def expected(self, node: int = 0) -> float:
        """Mean leaf value of the subtree, weighted by the training rows that reached each leaf."""
        if self.is_leaf(node):
            return self.limit[node]
        return sum(self.share[child] * self.expected(child) for child in (self.left[node], self.right[node]))


@dataclass(frozen=True, slots=True)
class Forest:
    """A booster's trees and the margin they are added to."""

    trees: tuple[Tree, ...]
    base_margin: float
    n_columns: int

    @property
    def bias(self) -> float:
        """Margin of the average training row: what SHAP contributions are added to."""
        return self.base_margin + sum(tree.expected() for tree in self.trees)


def forest_from_booster(booster: xgb.Booster) -> Forest:
    """The trees of a binary booster, read from its own JSON."""
    learner = json.loads(booster.save_raw("json"))["learner"]
    base = float(learner["learner_model_param"]["base_score"].strip("[]"))
    base32 = np.float32(base)
    return Forest(
        trees=tuple(_tree(tree) for tree in learner["gradient_booster"]["model"]["trees"]),
        base_margin=float(np.log(base32 / (1 - base32))),
        n_columns=int(learner["learner_model_param"]["num_feature"]),
    )


def _tree(raw: dict[str, Any]) -> Tree:
    cover, share = raw["sum_hessian"], [1.0] * len(raw["sum_hessian"])
    for node, left in enumerate(raw["left_children"]):
        if left >= 0:
            for child in (left, raw["right_children"][node]):
                share[child] = cover[child] / cover[node]
    return Tree(
        left=tuple(raw["left_children"]),
        right=tuple(raw["right_children"]),
        column=tuple(raw["split_indices"]),
        limit=tuple(raw["split_conditions"]),
        missing_left=tuple(bool(flag) for flag in raw["default_left"]),
        share=tuple(share),
    )


def onnx_from_forest(forest: Forest) -> bytes:
    """A graph with input `x` (n, n_columns) and output `margin` (n, 1), NaN taking each split's own default branch."""
    nodes = [(t, n) for t, tree in enumerate(forest.trees) for n in range(len(tree.left))]
    trees = forest.trees
    leaves = [(t, n) for t, n in nodes if trees[t].is_leaf(n)]
    attributes = {
        "n_targets": 1,
        "base_values": [forest.base_margin],
        "nodes_treeids": [t for t, _ in nodes],
        "nodes_nodeids": [n for _, n in nodes],
        "nodes_featureids": [0 if trees[t].is_leaf(n) else trees[t].column[n] for t, n in nodes],
        "nodes_values": [0.0 if trees[t].is_leaf(n) else trees[t].limit[n] for t, n in nodes],
        "nodes_modes": ["LEAF" if trees[t].is_leaf(n) else "BRANCH_LT" for t, n in nodes],
        "nodes_truenodeids": [max(trees[t].left[n], 0) for t, n in nodes],
        "nodes_falsenodeids": [max(trees[t].right[n], 0) for t, n in nodes],
        "nodes_missing_value_tracks_true": [int(trees[t].missing_left[n]) for t, n in nodes],
        "target_treeids": [t for t, _ in leaves],
        "target_nodeids": [n for _, n in leaves],
        "target_ids": [0] * len(leaves),
        "target_weights": [trees[t].limit[n] for t, n in leaves],
    }
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["margin"], domain="ai.onnx.ml", **attributes)
    graph = helper.make_graph(
        [node],
        "risk",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, forest.n_columns])],
        [helper.make_tensor_value_info("margin", TensorProto.FLOAT, [None, 1])],
    )
    opsets = [helper.make_opsetid("", ONNX_OPSET), helper.make_opsetid("ai.onnx.ml", ONNX_ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=ONNX_IR)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


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
