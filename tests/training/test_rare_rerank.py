"""The second stage on trial: what it may look at, which way each input moves it, and the gate it has to pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from xgboost import DMatrix

from cds_service.inference.ranker import Ranker
from cds_service.inference.ranker_bench import read_cases
from cds_service.inference.ranker_knowledge import load_knowledge
from training.rare import rerank
from training.rare.rerank import INPUTS, PROTOCOLS, Compared, Group, passes, said, tried

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ranker() -> Ranker:
    return Ranker(load_knowledge(ROOT / "models"))


def compared(protocol, value, low, figure="top10"):
    return Compared(protocol, figure, 10, 0.5, 0.5 + value, {"value": value, "low": low, "high": value + 0.1})


@pytest.mark.parametrize(
    ("c", "r", "verdict"),
    [
        ((0.03, 0.01), (0.00, -0.02), True),
        ((0.00, -0.01), (0.02, 0.01), True),
        ((0.03, 0.01), (-0.01, -0.02), False),
        ((0.03, -0.01), (0.02, -0.01), False),
    ],
    ids=["sure in C", "sure in R", "loses in R", "sure in neither"],
)
def test_the_gate_asks_for_a_sure_gain_and_no_loss(c, r, verdict):
    found = [compared("C", *c), compared("R", *r), compared("K", -1.0, -1.0), compared("C", 1.0, 1.0, "top1")]

    assert passes(found) is verdict
    assert ("not passed" in list(said(found))[-1]) is not verdict


def test_no_input_rewards_exclusions_or_the_amount_of_curation():
    assert not any(word in name for name in INPUTS for word in ("excluded", "refut", "annotation", "paper"))
    assert [name for name, direction in INPUTS.items() if not direction] == ["n_findings"]


def test_each_input_moves_a_candidate_one_way_only():
    draw = np.random.default_rng(3)
    groups = []
    for number in range(60):
        inputs = draw.normal(size=(20, len(INPUTS))).astype(np.float32)
        groups.append(Group(f"OMIM:{number}", inputs, int(inputs[:, 0].argmax()), 1))

    model = rerank._fit(groups)

    for column, direction in enumerate(INPUTS.values()):
        inputs = np.repeat(draw.normal(size=(50, len(INPUTS))).astype(np.float32), 2, axis=0)
        inputs[1::2, column] += 2
        scores = model.predict(DMatrix(inputs, feature_names=list(INPUTS)))
        if direction:
            assert np.all(direction * (scores[1::2] - scores[::2]) >= -1e-6)


def test_both_stages_are_compared_on_the_same_cases_under_every_protocol(ranker):
    cases = read_cases(ROOT / "fixtures" / "rare" / "golden.jsonl")

    found = tried(ranker, cases)

    assert [(one.protocol, one.figure) for one in found] == [
        (protocol, figure) for protocol in PROTOCOLS for figure in ("top1", "top3", "top10")
    ]
    assert [one.cases for one in found[:6]] == [50] * 6
    for one in found:
        assert one.change["value"] == pytest.approx(one.after - one.before)
