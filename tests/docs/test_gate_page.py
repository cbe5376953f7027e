"""The page of the gate names every check, and says rightly which may be overridden; the console says why in Spanish."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cds_service.cdshooks.wording import words
from cds_service.web.console.gate_words import REASONS, gate_reason
from tests.training.test_gate import ABOUT, BOUNDS, SOUND, TIERS, evidence, five_states
from training.gate import judge

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "gate.md"


@pytest.fixture(scope="module")
def checks() -> list[dict[str, Any]]:
    """Every kind of check the gate makes: against a model in service, as the first of its task, and of five states."""
    whole = evidence(groups={"sex": np.repeat(np.array(["female", "male"]), 2000)})
    first = replace(whole, champion=None, champion_auroc={}, facts=replace(SOUND, tiers=TIERS))
    return [check for one in (whole, first, five_states()) for check in judge(one, BOUNDS, ABOUT)["checks"]]


def test_the_page_lists_the_checks_as_they_are(checks: list[dict[str, Any]]) -> None:
    listed = dict(
        re.findall(r"^\| `([a-z0-9_-]+)` \|.*\| (never|with a reason) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    )
    assert listed == {
        check["name"].partition(":")[0]: "with a reason" if check["overridable"] else "never" for check in checks
    }


def test_the_console_says_in_spanish_why_a_check_is_made(checks: list[dict[str, Any]]) -> None:
    spanish = words("es")
    said = {check["reason"] for check in checks}

    assert [text for text in said if gate_reason(text, spanish) in (None, text)] == []
    # The one reason that only a class told apart without an error gives.
    assert [text.partition(",")[0] for text in REASONS - said] == ["told apart without an error"]
