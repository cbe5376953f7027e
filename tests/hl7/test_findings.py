"""DG1 and OBX to findings: what counts, what is excluded, what is not mapped, and which statement is the last."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds_service.hl7.findings import heard_from, statements_of
from cds_service.hl7.reader import read_message
from cds_service.hl7.site import STANDARD
from cds_service.inference.ranker_service import load_rare_diseases
from tests.hl7.builders import HEART_RATE, OBR, PID, PV1, er7, msh, obx

LONG_FINGERS, SEIZURE, HYPO, HYPER = "HP:0001166", "HP:0001250", "HP:0002148", "HP:0002905"
SEIZURES = f"{SEIZURE}^Seizure^HPO"
PHOSPHATE = "2777-1^Phosphate^LN"
CLINICAL_FINDING = "75325-1^Symptom^LN"


def dg1(code: str, kind: str = "F", action: str = "") -> str:
    fields = ["DG1", "1", "", code, "", "", kind]
    return "|".join([*fields, *[""] * 14, action]) if action else "|".join(fields)


def statements(*segments: str):
    raw = er7(msh(), PID, PV1, OBR, *segments)
    codes = load_rare_diseases(Path("models")).codes
    return statements_of(raw, read_message(raw), codes=codes, site=STANDARD)


def said(*segments: str):
    return [(one.term, one.excluded) for one in heard_from(statements(*segments)[::-1]).findings]


def finding(value: str = "", kind: str = "ST", **fields: str) -> str:
    return obx(SEIZURES, value, "", kind, **fields)


@pytest.mark.parametrize(
    ("segment", "findings"),
    [
        pytest.param(dg1(f"{LONG_FINGERS}^Arachnodactyly^HPO"), [(LONG_FINGERS, False)], id="diagnosis, HPO"),
        pytest.param(dg1("91175000^Seizure^SCT"), [(SEIZURE, False)], id="diagnosis, SNOMED CT"),
        pytest.param(dg1("C0036572^Seizure^UML"), [(SEIZURE, False)], id="diagnosis, UMLS"),
        pytest.param(dg1(f"x^local^L^{SEIZURE}^Seizure^HPO"), [(SEIZURE, False)], id="alternate code"),
        pytest.param(dg1(SEIZURES, kind="W"), [], id="working diagnosis"),
        pytest.param(dg1(SEIZURES, kind="A"), [], id="admitting diagnosis"),
        pytest.param(finding("Y"), [(SEIZURE, False)], id="yes"),
        pytest.param(finding("POS"), [(SEIZURE, False)], id="positive"),
        pytest.param(finding("NEG"), [(SEIZURE, True)], id="negative is excluded"),
        pytest.param(finding("absent"), [(SEIZURE, True)], id="absent in words"),
        pytest.param(finding("N^No^HL70136", "CWE"), [(SEIZURE, True)], id="coded no"),
        pytest.param(finding("260385009^Negative^SCT", "CWE"), [(SEIZURE, True)], id="SNOMED CT negative"),
        pytest.param(finding(obx_8="NEG"), [(SEIZURE, True)], id="negative by its mark"),
        pytest.param(finding(), [(SEIZURE, False)], id="named alone"),
        pytest.param(finding("Y", obx_11="P"), [], id="preliminary"),
        pytest.param(finding("Y", obx_11="X"), [], id="cancelled"),
        pytest.param(obx(CLINICAL_FINDING, SEIZURES, "", "CWE"), [(SEIZURE, False)], id="coded value"),
        pytest.param(obx(PHOSPHATE, 0.4, "mmol/L", obx_8="L"), [(HYPO, False)], id="low by its mark"),
        pytest.param(obx(PHOSPHATE, 2.4, "mmol/L", obx_7="0.8-1.5"), [(HYPER, False)], id="high by its range"),
        pytest.param(obx(PHOSPHATE, 1, "mmol/L", obx_8="N"), [(HYPO, True), (HYPER, True)], id="normal excludes both"),
        pytest.param(
            obx(PHOSPHATE, 1, "mmol/L", obx_7="0.8-1.5"), [(HYPO, True), (HYPER, True)], id="within its range"
        ),
        pytest.param(obx(HEART_RATE, 130), [], id="a vital sign"),
    ],
)
def test_each_way_of_saying_it(segment, findings):
    assert said(segment) == findings


@pytest.mark.parametrize(
    ("segment", "code", "reason"),
    [
        (dg1("E11.9^Diabetes^I10"), "E11.9", "unknown-code"),
        (dg1("HP:0000007^Recessive^HPO"), "HP:0000007", "not-a-finding"),
        (finding("perhaps"), SEIZURE, "unknown-value"),
        (obx(PHOSPHATE, 1, "mmol/L"), "2777-1", "no-interpretation"),
        (obx(PHOSPHATE, 1, "mmol/L", obx_7="1.5-0.8"), "2777-1", "no-interpretation"),
        (obx("77777-7^Odd^LN", "strange^Strange^L", "", "CWE"), "strange", "unknown-code"),
    ],
    ids=["icd", "inheritance", "odd value", "no range", "range upside down", "local value"],
)
def test_what_cannot_be_mapped_is_kept_with_its_reason(segment, code, reason):
    heard = heard_from(statements(segment))

    assert heard.findings == ()
    assert [(one.code, one.reason) for one in heard.unmapped] == [(code, reason)]


@pytest.mark.parametrize(
    ("segments", "findings"),
    [
        ([finding("Y"), finding("NEG", obx_11="C")], [(SEIZURE, True)]),
        ([finding("Y"), finding("Y", obx_11="D")], []),
        ([dg1(SEIZURES), dg1(SEIZURES, action="D")], []),
        ([dg1(SEIZURES), dg1(f"{LONG_FINGERS}^x^HPO", action="D")], [(SEIZURE, False)]),
    ],
    ids=["corrected", "withdrawn", "diagnosis deleted", "another deleted"],
)
def test_the_last_statement_of_a_finding_counts(segments, findings):
    assert said(*segments) == findings
