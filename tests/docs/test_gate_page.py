"""The page of the gate names every check, and says rightly which may be overridden."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.training.test_gate import ABOUT, BOUNDS, SOUND, TIERS, evidence, five_states
from training.gate import judge

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "gate.md"


def test_the_page_lists_the_checks_as_they_are() -> None:
    listed = dict(
        re.findall(r"^\| `([a-z0-9_-]+)` \|.*\| (never|with a reason) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    )
    whole = evidence(groups={"sex": np.repeat(np.array(["female", "male"]), 2000)})
    first = replace(whole, champion=None, champion_auroc={}, facts=replace(SOUND, tiers=TIERS))
    checks = [check for one in (whole, first, five_states()) for check in judge(one, BOUNDS, ABOUT)["checks"]]
    assert listed == {
        check["name"].partition(":")[0]: "with a reason" if check["overridable"] else "never" for check in checks
    }
