from __future__ import annotations

import time

import pytest

from cds_service.errors import InvalidMessage
from cds_service.hl7.conformance import MAX_PROBLEMS, MAX_SEGMENTS, explain, require_valid
from tests.hl7.builders import OBR, PID, PV1, er7, msh, obx, oru

GOOD = er7(msh(), "PID|1||P1^^^HOSP^MR||Ejemplo^Rosa||19541102|F", OBR, obx())


def test_a_message_of_the_right_structure_has_no_problems() -> None:
    assert explain(GOOD) == []
    require_valid(GOOD)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\r"], ids=["LF", "CRLF", "blank lines"])
def test_line_ends_do_not_hide_segments_from_the_library(end: str) -> None:
    assert explain(GOOD.replace(b"\r", end.encode())) == []


@pytest.mark.parametrize("version", ["2.3", "2.5", "2.7", "2.8.2", "2.9"])
def test_versions_are_checked_as_the_nearest_the_library_knows(version: str) -> None:
    structure = "ORU^R01" if version == "2.3" else "ORU^R01^ORU_R01"

    problems = explain(GOOD.replace(b"2.5.1", version.encode()).replace(b"ORU^R01^ORU_R01", structure.encode()))

    assert not [text for _, text in problems if "cannot be read" in text]


def test_what_the_library_drops_without_a_word_is_named() -> None:
    problems = explain(er7(msh(), PID, OBR, obx(), "DG1|1||E11.9^x^I10C", "ZXX|1"))

    assert ("DG1", "1 of 1 have no place in the structure of this message") in problems
    assert ("ZXX", "1 of 1 have no place in the structure of this message") in problems


def test_a_missing_field_is_named_by_its_place() -> None:
    assert ("OBX[2]-3", "is required") in explain(er7(msh(), PID, OBR, obx(), "OBX|2|NM|||72|/min|||||F"))


def test_a_type_without_a_structure_is_named() -> None:
    assert ("MSH-9", "names no message structure of its version") in explain(er7(msh(msh_9="ADT^A04"), PID, PV1))


@pytest.mark.parametrize("raw", [b"", b"hello", b"MSH|^~\\&", er7(msh(msh_12="3.0"), PID), er7(msh(msh_9=""))])
def test_what_is_no_message_is_a_problem_not_an_exception(raw: bytes) -> None:
    assert explain(raw)


def test_strict_mode_refuses_with_every_problem() -> None:
    with pytest.raises(InvalidMessage) as refused:
        require_valid(er7(msh(), PID, OBR, "OBX|1", "ZXX|1"))

    assert refused.value.code == 100
    assert len(refused.value.details) >= 1


@pytest.mark.parametrize(
    "raw",
    [oru(*["OBX|1"] * (MAX_SEGMENTS + 1)), oru(obx(value="~" * 3_900)), oru(obx(value="^" * 15_000)),
     oru(obx(), "NTE" + "|" * 8_000), oru(obx("P^PDF^L", "Q" * 500_000, "", "ED"))],
    ids=["segments", "repetitions", "components", "fields", "bytes"],
)  # fmt: skip
def test_what_the_library_would_take_long_for_never_reaches_it(raw: bytes) -> None:
    started = time.process_time()

    assert "too large" in explain(raw)[0][1]
    assert time.process_time() - started < 0.05


def test_problems_are_bounded_and_hold_no_value() -> None:
    problems = explain(er7(msh(), PID, OBR, *["OBX|1|NM|||secret|secret"] * 60))

    assert len(problems) <= MAX_PROBLEMS
    assert "secret" not in str(problems)
    assert "Rosa" not in str(problems)
