"""ONNX graphs of verified artifacts: opened, and run on a matrix.

ONNX Runtime is imported with the first graph: a service without a model of states needs none of its 20 MB.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.features import Matrix
from cds_service.errors import ConfigurationError, Unavailable
from cds_service.inference.artifact import Artifact

if TYPE_CHECKING:
    import onnxruntime as ort


def open_session(artifact: Artifact, name: str, n_columns: int) -> ort.InferenceSession:
    """A session of one thread over a graph of the artifact that takes so many columns; ConfigurationError otherwise."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(artifact.files[name], options, providers=["CPUExecutionProvider"])
    except _failures() as problem:
        raise ConfigurationError(
            "is not a graph ONNX Runtime can run", where=f"{artifact.directory}/{name}"
        ) from problem
    if [(i.name, i.shape[-1]) for i in session.get_inputs()] != [("x", n_columns)]:
        raise ConfigurationError(f"does not take {n_columns} columns as x", where=f"{artifact.directory}/{name}")
    return session


def run_session(session: ort.InferenceSession, output: str, matrix: Matrix) -> NDArray[np.float32]:
    """One output of the graph for the rows of its input `x`, shape (n, m); Unavailable when the model fails."""
    try:
        found: NDArray[np.float32] = session.run([output], {"x": np.ascontiguousarray(matrix)})[0]
    except _failures() as problem:
        raise Unavailable(f"the model failed: {type(problem).__name__}", where="model") from problem
    return found


@cache
def _failures() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises of a graph or its inputs: the errors of its C extension, and those C++ ones become.

    The former have no class in common but Exception.
    """
    from onnxruntime.capi import onnxruntime_pybind11_state as extension

    own = [kind for kind in vars(extension).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    return (RuntimeError, ValueError, *own)
