"""An incremental training goes on from the model in service, and ends before the gate as any other."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xgboost as xgb

from cds_service.errors import ConfigurationError
from tests.conftest import REPOSITORY
from tests.training.labelled import order, quick_params, risk_columns, write_dataset
from training.candidates import FAMILIES
from training.compare import run
from training.continued import CONTINUED, continued
from training.estimators import BoostedTrees
from training.in_service import IN_SERVICE, RECALIBRATED
from training.task import TASKS

CHAMPION = REPOSITORY / "models" / "risk" / "1.0.0"
ROUNDS = 3


def params() -> dict:
    cut = quick_params()
    return cut | {"compare": cut["compare"] | {"incremental": {"rounds": ROUNDS, "eta": 0.02}}}


@pytest.fixture(scope="module")
def version(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("incremental")
    out = root / "models" / "risk" / "1.1.0"
    data = write_dataset(root / "data", risk_columns())
    run(order(data, out, champion=CHAMPION, incremental=True), params(), lambda text: None)
    return out


def trees(directory: Path, tier: str) -> list[str]:
    return xgb.Booster(model_file=directory / f"{tier}.ubj").get_dump()


def test_the_challenger_is_the_champions_trees_and_a_few_more(version):
    manifest = json.loads((version / "manifest.json").read_bytes())

    assert (manifest["family"], manifest["incremental"], manifest["challenges"]) == (CONTINUED, True, "1.0.0")
    for tier in ("full", "vitals-8", "vitals-6"):
        before, after = trees(CHAMPION, tier), trees(version, tier)
        assert len(after) == len(before) + ROUNDS
        assert after[: len(before)] == before


def test_it_is_compared_with_the_champion_and_judged_by_the_gate(version):
    bare = {family.name for family in FAMILIES if family.bare}
    lines = json.loads((version / "evaluation.json").read_bytes())["leaderboard"]
    gate = json.loads((version / "gate.json").read_bytes())

    assert {line["family"] for line in lines} == bare | {IN_SERVICE, RECALIBRATED, CONTINUED}
    assert gate["verdict"] in ("yes", "no", "not-enough-evidence")
    assert {check["name"]: check["passed"] for check in gate["checks"]}["shap-parity"]


def test_without_a_version_in_service_there_is_nothing_to_continue(tmp_path):
    wanted = order(tmp_path, tmp_path / "models" / "risk" / "1.0.0", incremental=True)

    with pytest.raises(ConfigurationError, match="--incremental: needs a version in service"):
        run(wanted, params(), lambda text: None)


def test_a_model_without_trees_is_not_continued():
    logistic = SimpleNamespace(artifact=SimpleNamespace(files={"model.onnx": b""}), version="1.0.0")

    with pytest.raises(ConfigurationError, match=r"^state 1\.0\.0: has no trees to go on from: train in full$"):
        continued(logistic, TASKS["state"], None, {})


def test_trees_of_several_classes_go_on_from_those_before():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(200, 4)).astype(np.float32)
    y = rng.integers(0, 3, 200).astype(np.int8)
    settings = {"rounds": 2, "max_depth": 2, "seed": 1, "nthread": 1}

    first = BoostedTrees(settings, 3).fit(X, y, np.ones(200))
    more = BoostedTrees(settings, 3, before=bytes(first.booster_.save_raw("ubj"))).fit(X, y, np.ones(200))

    assert more.booster_.get_dump()[:6] == first.booster_.get_dump()
    assert more.booster_.num_boosted_rounds() == 4
