from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cds_service.domain.policy import ReadingPolicy
from cds_service.fhir.conformance import explain
from cds_service.fhir.reader import read_resources, snapshot_from_resources
from tests.fhir.builders import TABLES

TWINS = Path(__file__).parents[2] / "fixtures" / "twins"
CASES = sorted(path.parent.name for path in TWINS.glob("*/bundle.json"))
AT = datetime(2026, 3, 14, 8, 40, tzinfo=UTC)
R5_SHAPES = {"uk-style-codes-alone"}


def _plain(value: Any) -> Any:
    """As JSON would hold it, named tuples by the names of their fields."""
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else msgspec.to_builtins(value)


@pytest.mark.parametrize("case", CASES)
def test_bundle_becomes_its_snapshot(case: str) -> None:
    body = (TWINS / case / "bundle.json").read_bytes()

    snapshot = snapshot_from_resources(
        read_resources([body]), patient_id=None, at=AT, policy=ReadingPolicy(), tables=TABLES
    )

    assert _plain(snapshot) == json.loads((TWINS / case / "snapshot.json").read_text())


@pytest.mark.parametrize("case", sorted(set(CASES) - R5_SHAPES))
def test_bundle_is_valid_r4b(case: str) -> None:
    assert explain((TWINS / case / "bundle.json").read_bytes()) == []


def test_there_are_twins() -> None:
    assert len(CASES) >= 8
