from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cds_service.domain.vital_codes import LOINC, SNOMED
from cds_service.fhir.conformance import explain
from cds_service.fhir.times import moment_from_datetime
from tests.fhir.builders import (
    AT,
    bundle,
    component,
    concept,
    encounter,
    observation,
    patient,
    quantity,
    read_parts,
    text,
)
from tests.fhir.oracle import read_bundle
from tests.fhir.test_shared_examples import EXAMPLES, EXPECTED, read_example

CODES = st.sampled_from(
    [
        (LOINC, "8867-4"),
        (LOINC, "9279-1"),
        (LOINC, "8310-5"),
        (LOINC, "59408-5"),
        (LOINC, "8480-6"),
        (LOINC, "8462-4"),
        (LOINC, "29463-7"),
        (SNOMED, "364075005"),
        (LOINC, "718-7"),
    ]
)
UNITS = st.sampled_from(["/min", "Cel", "[degF]", "%", "mm[Hg]", "kPa", "kg", "[lb_av]", "furlong", "beats/minute"])
NUMBERS = st.decimals(-10, 400, places=1, allow_nan=False).map(float) | st.integers(0, 200)
QUANTITIES = st.one_of(
    st.builds(quantity, NUMBERS, UNITS),
    st.builds(lambda value, unit: {"value": value, "unit": unit}, NUMBERS, UNITS),
    st.builds(lambda value: {"value": value}, NUMBERS),
    st.builds(lambda value, unit: quantity(value, unit) | {"comparator": "<"}, NUMBERS, UNITS),
)
TIMES = st.sampled_from(
    [
        "2026-03-14T08:25:00+01:00",
        "2026-03-14T07:25:00Z",
        "2026-03-14T08:25:00.5+01:00",
        "2026-03-14T12:00:00+05:30",
        "2026-03-14T02:00:00+01:00",
        "2026-03-14T09:30:00+01:00",
        "2026-03-14",
        "2026-03-13",
    ]
)
STATUSES = st.sampled_from(
    ["final"] * 6 + ["amended", "corrected", "preliminary", "registered", "cancelled", "entered-in-error", "unknown"]
)
SUBJECTS = st.sampled_from([{"reference": "Patient/p1"}] * 8 + [{"reference": "Patient/p2"}, None])


@st.composite
def observations(draw: st.DrawFn) -> dict[str, Any]:
    when = draw(
        st.one_of(
            TIMES.map(lambda sent: {"effectiveDateTime": sent}),
            TIMES.map(lambda sent: {"effectiveDateTime": None, "effectivePeriod": {"end": sent}}),
            st.just({"effectiveDateTime": None}),
        )
    )
    value = draw(
        QUANTITIES.map(lambda sent: {"valueQuantity": sent})
        | st.just(
            {"dataAbsentReason": concept(("http://terminology.hl7.org/CodeSystem/data-absent-reason", "unknown"))}
        )
    )
    issued = draw(st.sampled_from([None, None, "2026-03-14T08:30:00+01:00", "2026-03-14T08:31:00+01:00"]))
    panel = [
        component("8480-6", draw(st.integers(20, 250)), "mm[Hg]"),
        component("8462-4", draw(st.integers(5, 200)), "mm[Hg]"),
    ]
    parts = draw(st.sampled_from([None, None, panel]))
    members = {"status": draw(STATUSES), "subject": draw(SUBJECTS), "issued": issued, "component": parts}
    return observation(draw(CODES), **when, **value, **members)


@settings(max_examples=150)
@given(sent=st.lists(observations(), min_size=1, max_size=5))
def test_both_readers_give_the_same_readings(sent: list[dict[str, Any]]) -> None:
    numbered = [resource | {"id": f"o{number}"} for number, resource in enumerate(sent)]
    body = text(bundle(patient(), encounter(), *numbered))
    assume(not explain(body))

    fast = read_parts(body)
    values, unused = read_bundle(body, patient_id="p1", at=AT)

    assert {name: reading.value for name, reading in fast.readings.items()} == values
    assert sorted((one.name, one.reason.value) for one in fast.not_used) == unused


# fhir.resources refuses these thirteen as R4B; their reviewed expectations are in test_shared_examples.
@pytest.mark.skipif(not EXPECTED, reason="the shared example files are not on this machine")
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_example_is_read_alike_or_refused_by_the_library(name: str) -> None:
    body = (EXAMPLES / name).read_bytes()
    document = json.loads(body)
    whole = text(bundle(document, type="collection"))
    moment = moment_from_datetime(document.get("effectiveDateTime", "")) or (AT, False)
    if explain(whole):
        return

    values, _ = read_bundle(whole, patient_id=document["subject"]["reference"].rpartition("/")[2], at=moment[0])

    fast = read_example(body).readings
    assert values.items() <= {key: reading.value for key, reading in fast.items()}.items()
