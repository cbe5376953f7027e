"""What stays in memory of messages that were read: numbers and codes, and no words about anybody."""

from __future__ import annotations

import pytest

from cds_service.hl7.coding import _coded
from cds_service.hl7.observations import _said
from tests.hl7.builders import HEART_RATE, RESPONSIVENESS, er7, msh, obx, oru, read

WORDS = "Rosa Ejemplo fell at home"


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    _said.cache_clear()
    _coded.cache_clear()


def remembered(raw: bytes) -> int:
    read(raw)
    return _said.cache_info().currsize + _coded.cache_info().currsize


REMEMBERED = {
    "number": obx(HEART_RATE, 128),
    "structured": obx(HEART_RATE, "=^128", kind="SN"),
    "number-as-text": obx(HEART_RATE, "128", kind="ST"),
    "null": obx(HEART_RATE, '""'),
    "pair": obx("85354-9^Blood pressure^LN", "120/80", "mm[Hg]", kind="ST"),
    "code": obx(RESPONSIVENESS, "248234008^Mentally alert^SCT", "", kind="CWE"),
}
NOT_REMEMBERED = {
    "note": obx("34109-9^Note^LN", WORDS, "", kind="TX"),
    "laboratory": obx("2345-7^Glucose^LN", 99, "mg/dL"),
    "own-name": obx("NAME^Name^L", "Ejemplo", "", kind="ST"),
    "words-for-a-number": obx(HEART_RATE, WORDS, kind="ST"),
    "words-in-a-number": obx(HEART_RATE, WORDS),
    "words-for-a-type": obx(HEART_RATE, 128, kind=WORDS),
    "words-without-a-code": obx(RESPONSIVENESS, f"^{WORDS}", "", kind="CWE"),
    "words-for-a-code": obx(RESPONSIVENESS, WORDS, "", kind="CWE"),
    "original-text": obx(RESPONSIVENESS, f"248234008^Alert^SCT^^^^^^{WORDS}", "", kind="CWE"),
    "long-name": obx(RESPONSIVENESS, f"248234008^{WORDS * 4}^SCT", "", kind="CWE"),
}


@pytest.mark.parametrize("case", REMEMBERED)
def test_numbers_and_codes_of_vital_signs_are_read_once(case: str) -> None:
    assert [remembered(oru(REMEMBERED[case])) for _ in range(2)] == [1, 1]


@pytest.mark.parametrize("case", NOT_REMEMBERED)
def test_nothing_of_notes_laboratory_results_and_words_is_remembered(case: str) -> None:
    assert remembered(oru(NOT_REMEMBERED[case])) == 0


@pytest.mark.parametrize(
    ("sent", "times"),
    [
        ("I10^Essential hypertension^I10", 1),
        (f"^{WORDS}", 0),
        (WORDS, 0),
        (f"R07.9^{WORDS * 4}^I10", 0),
    ],
)
def test_of_diagnoses_short_codes_alone_are_remembered(sent: str, times: int) -> None:
    assert remembered(er7(msh(msh_9="ADT^A01"), "PID|1||P1^^^HOSP^MR", "PV1|1|E", f"DG1|1||{sent}|||A")) == times
