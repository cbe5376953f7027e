"""Trees of a fitted booster as plain values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost as xgb


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree by node number; a leaf has `left` -1 and its value in `limit`.

    `share` is the part of its parent's training weight that reached a node.
    """

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
    """A booster's trees and the margin they are added to; with several classes, `targets` says which tree is whose."""

    trees: tuple[Tree, ...]
    base_margins: tuple[float, ...]
    n_columns: int
    targets: tuple[int, ...]

    @property
    def bias(self) -> float:
        """Margin of the average training row of a forest of one class: what SHAP contributions are added to."""
        return self.base_margins[0] + sum(tree.expected() for tree in self.trees)


def forest_from_booster(booster: xgb.Booster) -> Forest:
    """The trees of a booster of one margin or one a class, read from its own JSON."""
    learner = json.loads(booster.save_raw("json"))["learner"]
    model, params = learner["gradient_booster"]["model"], learner["learner_model_param"]
    base = np.array(params["base_score"].strip("[]").split(","), dtype=np.float32)
    is_binary = learner["objective"]["name"] == "binary:logistic"
    margins = np.log(base / (1 - base)) if is_binary else base
    return Forest(
        trees=tuple(_tree(tree) for tree in model["trees"]),
        base_margins=tuple(margins.tolist()),
        n_columns=int(params["num_feature"]),
        targets=tuple(model["tree_info"]),
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
