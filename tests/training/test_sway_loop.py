"""Teaching a model by labels that its own cards swayed: what weights are worth against doing so naively."""

from __future__ import annotations

from bench.sway import taught


def test_weighting_keeps_what_naive_retraining_on_swayed_labels_loses() -> None:
    naive, weighted = (taught(1, weighs=weighs) for weighs in (False, True))

    assert weighted.auroc > naive.auroc + 0.005
    assert weighted.skill > naive.skill + 0.5
    assert 1.0 < weighted.expected_over_observed < naive.expected_over_observed - 1.0
