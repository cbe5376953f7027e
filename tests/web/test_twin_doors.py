"""One clinical situation through two doors: each answers as reviewed, and both conclude and store the same."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Service
from tests.web.calls import Json
from tests.web.twin_doors import CASES, DOORS, GOLDEN, through

EACH = [(case, door) for case in CASES for door in DOORS]


def golden(case: str, door: str) -> Json:
    found: Json = json.loads((GOLDEN / f"{case}.{door}.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize(("case", "door"), EACH, ids=[f"{case}-{door}" for case, door in EACH])
def test_a_twin_is_answered_at_each_door_as_reviewed(service: Service, case: str, door: str) -> None:
    assert through(door, case, service) == golden(case, door)


@pytest.mark.parametrize("case", CASES)
def test_both_doors_conclude_the_same(case: str) -> None:
    assert golden(case, "hook")["outcome"] == golden(case, "hl7")["outcome"]


def test_every_golden_file_has_its_twin() -> None:
    assert {path.name for path in GOLDEN.glob("*.json")} == {f"{case}.{door}.json" for case, door in EACH}
    assert len(CASES) >= 12
