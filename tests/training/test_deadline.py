"""A comparison ends in time: what begins late is fitted with nothing chosen, and what can be served begins first."""

import pytest

from tests.training.labelled import order
from training import compare
from training.candidates import FAMILIES
from training.params import read_params
from training.task import TASKS


@pytest.fixture
def searched(monkeypatch, tmp_path):
    """Which families search, in their order; each takes ten seconds of a clock of its own."""
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(compare, "monotonic", lambda: next(clock))
    monkeypatch.setattr(compare, "contend", lambda family, *_: (family.name, not family.bare))

    def run(task: str, *, deadline: float, **known: object) -> list[tuple[str, bool]]:
        own = read_params()["compare"] | {"deadline_seconds": deadline}
        wanted = order(tmp_path, tmp_path / task / "1.0.0", **known)
        return list(compare._contenders(wanted, TASKS[task], None, own, lambda text: None))

    return run


def test_families_come_in_order_of_worth_and_late_ones_choose_nothing(searched):
    found = searched("risk", deadline=25, trials=None)

    assert found[:4] == [("XGBoost", True), ("LightGBM", True), ("decision tree", False), ("random forest", False)]
    assert {name for name, _ in found} == {family.name for family in FAMILIES}
    assert [name for name, _ in searched("state", deadline=25, trials=None)][:2] == ["XGBoost", "logistic regression"]


def test_a_run_that_is_made_again_has_no_clock(searched):
    found = dict(searched("risk", deadline=0, trials={}, unsearched=("MLP",)))

    assert [name for name, is_searched in found.items() if not is_searched] == [
        "MLP",
        *(family.name for family in FAMILIES if family.bare),
    ]


def test_deadline_and_tuning_leave_time_to_publish_within_a_quarter_of_an_hour():
    params = read_params()["compare"]

    assert params["deadline_seconds"] + params["budget_seconds"] < 15 * 60
