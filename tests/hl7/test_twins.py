"""A Bundle and a message of one clinical situation become one snapshot."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cds_service.domain.policy import ReadingPolicy
from cds_service.hl7.reader import read_message, snapshot_from_message
from tests.fhir.builders import TABLES
from tests.plain import plain

TWINS = Path(__file__).parents[2] / "fixtures" / "twins"
CASES = sorted(path.parent.name for path in TWINS.glob("*/message.hl7"))
AT = datetime(2026, 3, 14, 8, 40, tzinfo=UTC)

# What only one of the two can say: a diagnosis that was resolved or a reading of somebody else within one patient's
# data. The time an order gives is for a message what the time of issue is for a resource.
FHIR_ONLY = {"condition-not-active", "observation-of-other-patient"}
HL7_ONLY = {"condition-not-confirmed"}
ALIKE = {"time-from-order": "time-from-issued"}


def masked(snapshot: dict[str, Any], *, with_identifiers: bool) -> dict[str, Any]:
    """The snapshot without what names places and codes of one format: sources, details, the patient's address."""
    for reading in snapshot["readings"].values():
        reading["source"] = ""
        reading["flags"] = [ALIKE.get(flag, flag) for flag in reading["flags"]]
    kept = [one | {"source": "", "detail": ""} for one in snapshot["not_used"] if one["reason"] != "other-patient"]
    snapshot["not_used"] = sorted(kept, key=lambda one: (one["name"], one["reason"]))
    for condition in snapshot["conditions"] or ():
        condition["source"] = ""
    snapshot["identity"]["patient_id"] = ""
    if not with_identifiers:
        snapshot["identity"]["identifiers"] = []
    snapshot["remarks"] = sorted(set(snapshot["remarks"]) - FHIR_ONLY - HL7_ONLY - {"line-feed-ends"})
    return snapshot


@pytest.mark.parametrize("case", CASES)
def test_message_becomes_the_snapshot_of_its_bundle(case: str) -> None:
    expected = json.loads((TWINS / case / "snapshot.json").read_text())
    with_identifiers = bool(expected["identity"]["identifiers"])

    message = read_message((TWINS / case / "message.hl7").read_bytes())
    snapshot = snapshot_from_message(message, at=AT, policy=ReadingPolicy(), tables=TABLES)

    assert masked(plain(snapshot), with_identifiers=with_identifiers) == masked(
        expected, with_identifiers=with_identifiers
    )


def test_every_bundle_has_its_message() -> None:
    assert {path.parent.name for path in TWINS.glob("*/bundle.json")} == set(CASES)
    assert len(CASES) >= 12
