"""On what hl7apy parses completely, it and the reader say the same, field by field and value by value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.domain.statements import Given
from cds_service.hl7.header import header_of
from cds_service.hl7.tokens import Segment, tokenize
from tests.hl7.builders import HEART_RATE, OBR, PID, PV1, SPO2, TEMPERATURE, er7, msh, obx, read
from tests.hl7.test_shared_messages import NAMES, SHARED
from tests.hl7.test_twins import CASES, TWINS

FIELDS = {"PID": (3, 5, 7, 8), "PV1": (2, 3, 19), "OBR": (4, 7), "OBX": (2, 3, 5, 6, 8, 11, 14), "DG1": (3, 5, 6)}


def library_segments(raw: bytes) -> list[Any]:
    """The segments hl7apy finds, in its order; of a message it cannot read, none."""
    text = raw.decode("utf-8", "replace").replace("\r\n", "\r").replace("\n", "\r").replace("|2.9", "|2.8.2")
    try:
        message = parse_message(text, validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=True)
    except (HL7apyException, AttributeError, KeyError, TypeError, ValueError):
        return []
    return list(walk(message))


def walk(element: Any) -> Iterator[Any]:
    for child in element.children:
        if child.classname == "Segment":
            yield child
        else:
            yield from walk(child)


def library_field(segment: Any, number: int) -> str:
    return "~".join(field.to_er7() for field in segment.children.get(f"{segment.name}_{number}"))


def are_alike(raw: bytes) -> bool:
    """Whether the library read every segment; then both readings must agree."""
    header = header_of(raw)
    ours = tokenize(raw, header.syntax, declared=header.charset).segments
    theirs = library_segments(raw)
    if [one.id for one in ours] != [one.name for one in theirs]:
        return False
    for own, other in zip(ours, theirs, strict=True):
        for number in FIELDS.get(own.id, ()):
            assert _same(own, number, library_field(other, number)), (own.place, number)
    return True


def _same(own: Segment, number: int, other: str) -> bool:
    """Whether both give the field alike; of a coded element the library closes up gaps after its third component."""
    sent, found = own.field(number), other.strip()
    parts = 3 if "^" in sent else 1
    return sent.rstrip("^&~").split("^")[:parts] == found.rstrip("^&~").split("^")[:parts]


VALUES = st.decimals(-10, 400, places=1, allow_nan=False).map(str) | st.sampled_from(["", '""', "abc", "60~120", ">60"])
UNITS = st.sampled_from(["/min", "Cel", "[degF]", "%", "", "furlong", "264864^MDC_DIM_BEAT_PER_MIN^MDC"])
CODES = st.sampled_from([HEART_RATE, SPO2, TEMPERATURE, "718-7^Hb^LN", "X^Y^L"])
OBSERVATIONS = st.builds(
    lambda code, value, unit, status, time: obx(code, value, unit, obx_11=status, obx_14=time),
    CODES,
    VALUES,
    UNITS,
    st.sampled_from(["F", "P", "C", "W", "X", ""]),
    st.sampled_from(["", "20260314082500+0100", "20260314"]),
)


@settings(max_examples=25)
@given(
    sent=st.lists(OBSERVATIONS, min_size=1, max_size=4),
    version=st.sampled_from(["2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.8"]),
)
def test_generated_messages_are_read_alike(sent: list[str], version: str) -> None:
    raw = er7(msh(msh_12=version), PID, PV1, OBR, *sent)

    assert are_alike(raw)
    numbers = {
        one.segment: one.value.value
        for one in read(raw).patients[0].observations
        if isinstance(one.value, Given) and "from-share" not in one.value.flags and "degF" not in one.original
    }
    theirs = [one for one in library_segments(raw) if one.name == "OBX"]
    assert numbers == {place: float(library_field(theirs[int(place[4:-1]) - 1], 5)) for place in numbers}


@pytest.mark.parametrize("case", CASES)
def test_twins_are_read_alike(case: str) -> None:
    """Without DG1, which an ORU has no place for: the library drops it."""
    lines = (TWINS / case / "message.hl7").read_bytes().replace(b"\n", b"").split(b"\r")

    assert are_alike(b"\r".join(line for line in lines if not line.startswith(b"DG1")))


@pytest.mark.skipif(not NAMES, reason="the shared messages are not on this machine")
def test_shared_messages_the_library_reads_completely_are_read_alike() -> None:
    alike = [name for name in NAMES if are_alike(Path(SHARED / name).read_bytes())]

    assert len(alike) >= 20
