"""What each contender costs: time of one answer, time of one explanation, and bytes; never part of the artifact."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.features import Matrix
from training.comparison import Comparison
from training.contest import Contender
from training.explained import contributions_of

_TIMES = 15


def times_of(found: Comparison) -> dict[str, Any]:
    """By contender the milliseconds of processor time for one row and for its explanation, and the size in bytes."""
    row = found.parts.test.X[:1]
    return {contender.name: _costs(contender, row) for contender in found.contenders}


def milliseconds(work: Callable[[], object]) -> float:
    """Median processor time of a piece of work; the clock on the wall would measure the neighbours too."""
    work()
    spent = []
    for _ in range(_TIMES):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return round(1000 * float(np.median(spent)), 4)


def _costs(contender: Contender, row: Matrix) -> dict[str, Any]:
    model = contender.model
    explains = model is not None and contributions_of(model, row) is not None
    explain = (lambda: contributions_of(model, row)) if explains else (lambda: _by_occlusion(contender, row))
    return {
        "latency_ms": milliseconds(lambda: contender.margins(row)),
        "explanation_ms": milliseconds(explain),
        "explained_by": "its own structure" if explains else "leaving out one input at a time",
        "bytes": None if model is None else size_of([model.model_, model.prepare_]),
    }


def _by_occlusion(contender: Contender, row: Matrix) -> NDArray[np.float64]:
    """Margins with each input missing in turn: what any model can be asked, and what it costs."""
    without = np.repeat(row, row.shape[1], axis=0)
    np.fill_diagonal(without, np.nan)
    return contender.margins(without)


def size_of(thing: Any) -> int:
    """Bytes of the numbers a fitted model holds."""
    return _size(thing, set())


def _size(thing: Any, seen: set[int]) -> int:
    if id(thing) in seen or callable(thing) or isinstance(thing, type):
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return thing.nbytes + (sum(_size(item, seen) for item in thing.ravel()) if thing.dtype == object else 0)
    if hasattr(thing, "save_raw"):
        return len(thing.save_raw("ubj"))
    if hasattr(thing, "model_to_string"):
        return len(thing.model_to_string())
    if isinstance(thing, Mapping):
        return sum(_size(item, seen) for item in thing.values())
    if isinstance(thing, list | tuple | set):
        return sum(_size(item, seen) for item in thing)
    state = thing.__getstate__() if hasattr(thing, "__getstate__") else None
    return _size(state, seen) if isinstance(state, dict | tuple) else 0
