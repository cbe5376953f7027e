"""Models as ONNX graphs, which any runtime reads: written, and run by the one that serves models of states."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from cds_service.domain.features import Matrix
from training.scores import Scores
from training.trees import Forest

ONNX_OPSET, ONNX_ML_OPSET, ONNX_IR = 17, 3, 8
"""Versions of the written graph: the oldest that hold a regression tree ensemble, so that any runtime reads it."""


def onnx_from_forest(forest: Forest, output: str = "margin") -> bytes:
    """A graph from `x` (n, n_columns) to `output` (n, n_classes), NaN taking each split's own default branch."""
    nodes = [(t, n) for t, tree in enumerate(forest.trees) for n in range(len(tree.left))]
    trees = forest.trees
    leaves = [(t, n) for t, n in nodes if trees[t].is_leaf(n)]
    attributes = {
        "n_targets": len(forest.base_margins),
        "base_values": list(forest.base_margins),
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
        "target_ids": [forest.targets[t] for t, _ in leaves],
        "target_weights": [trees[t].limit[n] for t, n in leaves],
    }
    node = helper.make_node("TreeEnsembleRegressor", ["x"], [output], domain="ai.onnx.ml", **attributes)
    return written([node], forest.n_columns, (output, len(forest.base_margins)))


def written(
    nodes: Sequence[onnx.NodeProto], n_columns: int, output: tuple[str, int], constants: Sequence[onnx.TensorProto] = ()
) -> bytes:
    """Bytes of a checked graph from `x` (n, n_columns) to the named output; the same nodes give the same bytes."""
    name, width = output
    graph = helper.make_graph(
        list(nodes),
        "risk",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, n_columns])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width])],
        list(constants),
    )
    opsets = [helper.make_opsetid("", ONNX_OPSET), helper.make_opsetid("ai.onnx.ml", ONNX_ML_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=ONNX_IR)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def run_graph(graph: bytes, X: Matrix, output: str = "margins") -> Scores:
    """One output of a graph for the rows of X, shape (n, n_classes)."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    margins: Scores = session.run([output], {"x": np.ascontiguousarray(X)})[0].astype(np.float64)
    return margins
