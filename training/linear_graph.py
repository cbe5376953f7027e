"""Writes a logistic regression with its imputation as one ONNX graph."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from sklearn.pipeline import Pipeline

from training.graph import written
from training.scores import Scores


def onnx_from_logistic(prepare: Pipeline, coefficients: Scores, intercepts: Scores) -> bytes:
    """A graph from `x` (n, n_columns), NaN allowed, to `margins` (n, n_classes).

    `prepare` fills with medians, appends an indicator for every column that had missing values, and scales. The sums
    run in double precision: scaling folded into float32 weights would cost the parity.
    """
    imputer, scaler = prepare[0], prepare[1]
    shown = imputer.indicator_.features_
    weights = coefficients / scaler.scale_
    constants = {
        "medians": imputer.statistics_.astype(np.float64),
        "shown": np.asarray(shown, dtype=np.int64),
        "weights": np.ascontiguousarray(weights.T, dtype=np.float64),
        "bias": np.asarray(intercepts - weights @ scaler.mean_, dtype=np.float64),
    }
    nodes = [
        helper.make_node("Cast", ["x"], ["wide"], to=TensorProto.DOUBLE),
        helper.make_node("IsNaN", ["x"], ["missing"]),
        helper.make_node("Where", ["missing", "medians", "wide"], ["filled"]),
        helper.make_node("Cast", ["missing"], ["flags"], to=TensorProto.DOUBLE),
        helper.make_node("Gather", ["flags", "shown"], ["indicators"], axis=1),
        helper.make_node("Concat", ["filled", "indicators"], ["inputs"], axis=1),
        helper.make_node("Gemm", ["inputs", "weights", "bias"], ["sums"]),
        helper.make_node("Cast", ["sums"], ["margins"], to=TensorProto.FLOAT),
    ]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    return written(nodes, len(imputer.statistics_), ("margins", len(intercepts)), tensors)
