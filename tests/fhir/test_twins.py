from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cds_service.domain.policy import ReadingPolicy
from cds_service.fhir.conformance import explain
from cds_service.fhir.reader import read_resources, snapshot_from_resources
from tests.fhir.builders import TABLES
from tests.plain import plain

TWINS = Path(__file__).parents[2] / "fixtures" / "twins"
CASES = sorted(path.parent.name for path in TWINS.glob("*/bundle.json"))
AT = datetime(2026, 3, 14, 8, 40, tzinfo=UTC)
R5_SHAPES = {"uk-style-codes-alone"}


@pytest.mark.parametrize("case", CASES)
def test_bundle_becomes_its_snapshot(case: str) -> None:
    body = (TWINS / case / "bundle.json").read_bytes()

    snapshot = snapshot_from_resources(
        read_resources([body]), patient_id=None, at=AT, policy=ReadingPolicy(), tables=TABLES
    )

    assert plain(snapshot) == json.loads((TWINS / case / "snapshot.json").read_text())


@pytest.mark.parametrize("case", sorted(set(CASES) - R5_SHAPES))
def test_bundle_is_valid_r4b(case: str) -> None:
    assert explain((TWINS / case / "bundle.json").read_bytes()) == []


def test_there_are_twins() -> None:
    assert len(CASES) >= 8
