from __future__ import annotations

import numpy as np

from training.evaluate import histogram


def test_a_column_nobody_ever_measured_has_no_deciles_and_is_wholly_missing() -> None:
    assert histogram(np.full(7, np.nan)) == {"edges": [], "counts": [0], "missing_share": 1.0}


def test_deciles_count_what_is_known_and_the_rest_as_missing() -> None:
    found = histogram(np.array([*range(100), *[np.nan] * 25], dtype=np.float64))

    assert (len(found["edges"]), sum(found["counts"]), found["missing_share"]) == (9, 100, 0.2)
