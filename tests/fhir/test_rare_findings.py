"""Conditions and Observations to findings: what counts, what is excluded, what is kept as not mapped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cds_service.domain.policy import ReadingPolicy
from cds_service.errors import TooLarge
from cds_service.fhir.findings import MAX_FINDINGS, findings_from_resources
from cds_service.fhir.reader import read_resources
from cds_service.inference.ranker_service import load_rare_diseases
from tests.conftest import NOW

HPO, SNOMED, LOINC = "http://human-phenotype-ontology.org", "http://snomed.info/sct", "http://loinc.org"
PHOSPHATE, HYPO, HYPER = "2777-1", "HP:0002148", "HP:0002905"
RANGE = [{"low": {"value": 0.8, "unit": "mmol/L"}, "high": {"value": 1.5, "unit": "mmol/L"}}]


def a_condition(term="HP:0001166", system=HPO, **members):
    return {
        "resourceType": "Condition",
        "id": "c1",
        "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": system, "code": term}]},
        **members,
    }


def an_observation(term, system=LOINC, **members):
    return {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2026-03-01T08:00:00Z",
        "code": {"coding": [{"system": system, "code": term}]},
        **members,
    }


def verified(code):
    return {"verificationStatus": {"coding": [{"code": code}]}}


def interpreted(code):
    return {"interpretation": [{"coding": [{"code": code}]}]}


def coded(system, code):
    return {"valueCodeableConcept": {"coding": [{"system": system, "code": code}]}}


def phosphate(value, **members):
    measured = {"valueQuantity": {"value": value, "unit": "mmol/L"}, "referenceRange": RANGE}
    return an_observation(PHOSPHATE, **{**measured, **members})


def heard(*resources):
    parts = [json.dumps(resource).encode() for resource in ({"resourceType": "Patient", "id": "p"}, *resources)]
    codes = load_rare_diseases(Path("models")).codes
    return findings_from_resources(read_resources(parts), patient_id="p", at=NOW, policy=ReadingPolicy(), codes=codes)


def said(*resources):
    return [(finding.term, finding.excluded) for finding in heard(*resources).findings]


@pytest.mark.parametrize(
    ("resource", "findings"),
    [
        pytest.param(a_condition(), [("HP:0001166", False)], id="hpo condition"),
        pytest.param(a_condition(**verified("refuted")), [("HP:0001166", True)], id="refuted is excluded"),
        pytest.param(a_condition(**verified("provisional")), [], id="provisional is left out"),
        pytest.param(a_condition(**verified("entered-in-error")), [], id="in error is left out"),
        pytest.param(
            a_condition(clinicalStatus={"coding": [{"code": "resolved"}]}),
            [("HP:0001166", False)],
            id="resolved counts",
        ),
        pytest.param(a_condition("204962002", SNOMED), [("HP:0000003", False)], id="snomed"),
        pytest.param(a_condition("HP:0004715"), [("HP:0000003", False)], id="alternative id"),
        pytest.param(a_condition(subject={"reference": "Patient/other"}), [], id="other patient"),
        pytest.param(an_observation("HP:0001250", HPO), [("HP:0001250", False)], id="code alone"),
        pytest.param(an_observation("HP:0001250", HPO, valueBoolean=False), [("HP:0001250", True)], id="false"),
        pytest.param(
            an_observation("HP:0001250", HPO, **coded(SNOMED, "2667000")), [("HP:0001250", True)], id="absent"
        ),
        pytest.param(an_observation("HP:0001250", HPO, **interpreted("NEG")), [("HP:0001250", True)], id="negative"),
        pytest.param(an_observation("75325-1", **coded(HPO, "HP:0001250")), [("HP:0001250", False)], id="coded value"),
        pytest.param(an_observation("HP:0001250", HPO, status="entered-in-error"), [], id="observation in error"),
        pytest.param(an_observation("HP:0001250", HPO, effectiveDateTime="2027-01-01T00:00:00Z"), [], id="future"),
        pytest.param(phosphate(0.4), [(HYPO, False)], id="below its range"),
        pytest.param(phosphate(2.4), [(HYPER, False)], id="above its range"),
        pytest.param(phosphate(1.0), [(HYPO, True), (HYPER, True)], id="normal excludes both"),
        pytest.param(phosphate(1.0, **interpreted("L")), [(HYPO, False)], id="interpretation comes first"),
        pytest.param(phosphate(4.0, valueQuantity={"value": 4.0, "unit": "mg/dL"}), [], id="range in another unit"),
        pytest.param(an_observation("8867-4", valueQuantity={"value": 130, "unit": "/min"}), [], id="a vital sign"),
    ],
)
def test_each_way_of_saying_it(resource, findings):
    assert said(resource) == findings


@pytest.mark.parametrize(
    ("resource", "code", "reason"),
    [
        (a_condition("E11.9", "http://hl7.org/fhir/sid/icd-10-cm"), "E11.9", "unknown-code"),
        (a_condition("HP:0000007"), "HP:0000007", "not-a-finding"),
        (an_observation("HP:0001250", HPO, valueString="perhaps"), "HP:0001250", "unknown-value"),
        (an_observation(PHOSPHATE, valueQuantity={"value": 1}), PHOSPHATE, "no-interpretation"),
        (phosphate(4.0, valueQuantity={"value": 4.0, "unit": "mg/dL"}), PHOSPHATE, "no-interpretation"),
    ],
    ids=["icd", "inheritance", "odd value", "no range", "other unit"],
)
def test_what_cannot_be_mapped_is_kept_with_its_reason(resource, code, reason):
    unmapped = heard(resource).unmapped

    assert [(one.code, one.reason) for one in unmapped] == [(code, reason)]


def test_the_newest_result_of_a_test_counts():
    older = phosphate(0.4, id="o1", effectiveDateTime="2025-03-01T08:00:00Z")
    newer = phosphate(2.4, id="o2", effectiveDateTime="2026-03-01T08:00:00Z")

    assert said(older, newer) == said(newer, older) == [(HYPER, False)]


def test_several_codings_of_one_condition_are_one_finding():
    coding = [{"system": "http://example.org", "code": "x"}, {"system": HPO, "code": "HP:0001166"}]

    assert said(a_condition(code={"coding": coding})) == [("HP:0001166", False)]


@pytest.mark.parametrize("code", [{"coding": "x"}, [], 7, None, {"text": "long fingers"}])
def test_a_code_of_another_shape_is_a_remark_not_a_failure(code):
    found = heard(a_condition(code=code))

    assert found.findings == ()
    assert found.remarks


def test_more_findings_than_anyone_has_are_refused():
    components = [
        {"code": {"coding": [{"system": HPO, "code": f"HP:{number:07d}"}]}} for number in range(MAX_FINDINGS + 2)
    ]

    with pytest.raises(TooLarge, match="2000 findings"):
        heard(an_observation("x", component=components))
