"""The forty-four bad inputs, by number: what each is answered, and that none does more than that.

1 to 10 break the frame or the connection, 25, 26 and 40 are decided where messages are stored.
"""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.domain.policy import ReadingPolicy
from cds_service.errors import InvalidMessage
from cds_service.hl7.ack import acknowledge, acknowledge_refusal
from cds_service.hl7.message import Message
from cds_service.hl7.reader import read_message, snapshot_from_message
from tests.fhir.builders import TABLES
from tests.hl7.builders import (
    AT,
    HEART_RATE,
    OBR,
    PID,
    PV1,
    SPO2,
    SYSTOLIC,
    TEMPERATURE,
    er7,
    msh,
    obx,
    oru,
    read,
    snapshot,
    unused,
    values,
)
from tests.hl7.test_ack import answer, lines, told

NOT_OURS = {*range(1, 11), 25, 26, 40}

GOOD = oru(obx())
SEPARATORS = oru(obx(value="^" * 20_000))
MANY_OBSERVATIONS = er7(msh(), PID, OBR, *["OBX|1"] * 100_000)

ANSWERS = [
    pytest.param(b"hello", "AR", "100", id="11 no MSH"),
    pytest.param(b"\xef\xbb\xbf\r\n" + GOOD, "AA", "", id="11 byte order mark and blank lines"),
    pytest.param(b"MSH|^~\\&\r", "AR", "101", id="12 MSH alone, no type, no id"),
    pytest.param(er7(msh(msh_10="")), "AR", "101", id="12 no control id"),
    pytest.param(er7(msh()), "AA", "", id="13 heartbeat"),
    pytest.param(b"MSH||||||\r", "AR", "102", id="14 MSH-2 empty"),
    pytest.param(b"MSH|^^~\\&|A|B|C|D|||ORU^R01|M1|P|2.5\r", "AR", "102", id="15 a delimiter twice"),
    pytest.param(b"MSH|^~\\X|A|B|C|D|||ORU^R01|M1|P|2.5\r", "AR", "102", id="15 a letter as delimiter"),
    pytest.param(b"MSH|^~\\ |A|B|C|D|||ORU^R01|M1|P|2.5\r", "AR", "102", id="15 a blank as delimiter"),
    pytest.param(b"MSH|^~\\\xe9|A|B|C|D|||ORU^R01|M1|P|2.5\r", "AR", "102", id="15 an accent as delimiter"),
    pytest.param(b"MSH|^~\\|A|B|C|D|||ORU^R01|M1|P|2.5\r", "AR", "102", id="15 three characters"),
    pytest.param(b"MSH|^~\\&#!|A|B|C|D|||ORU^R01|M1|P|2.5\r", "AR", "102", id="15 six characters"),
    pytest.param(GOOD.translate(bytes.maketrans(b"|^~&", b"$*%!")), "AA", "", id="16 other delimiters"),
    pytest.param(GOOD.replace(b"^~\\&|", b"^~\\&#|", 1), "AA", "", id="17 five characters"),
    pytest.param(oru(obx(), msh_12="2.9"), "AA", "", id="18 version 2.9"),
    pytest.param(oru(obx(), msh_12="3.0"), "AR", "203", id="18 version 3.0"),
    pytest.param(oru(obx(), msh_12=""), "AR", "203", id="18 no version"),
    pytest.param(oru(obx(), msh_11="T"), "AA", "", id="19 training"),
    pytest.param(oru(obx(), msh_11="D"), "AA", "", id="19 debugging"),
    pytest.param(er7(msh(msh_9="QRY^R02")), "AR", "200", id="20 query"),
    pytest.param(er7(msh(msh_9="VXU^V04")), "AR", "200", id="20 immunisation"),
    pytest.param(er7(msh(msh_9="ZZZ^Z01")), "AR", "200", id="20 unknown type"),
    pytest.param(er7(msh(msh_9="ADT^A99")), "AR", "201", id="20 unknown event"),
    pytest.param(er7(msh(msh_9="ADT")), "AR", "201", id="20 no event"),
    pytest.param(GOOD.replace(b"\r", b"\n"), "AA", "", id="21 line feeds"),
    pytest.param(GOOD.replace(b"\r", b"\r\n"), "AA", "", id="21 both"),
    pytest.param(GOOD.replace(b"Rosa", b"Jos\xe9"), "AA", "", id="22 Latin-1, nothing declared"),
    pytest.param(oru(obx(), msh_18="UNICODE UTF-8").replace(b"Rosa", b"Jos\xe9"), "AE", "102", id="22 untrue"),
    pytest.param(oru(obx(), msh_18="8859/1").replace(b"Rosa", "José".encode()), "AA", "", id="23 UTF-8 as Latin-1"),
    pytest.param(GOOD.replace(b"Rosa", b"Ro\x00sa"), "AE", "102", id="24 NUL"),
    pytest.param(er7(msh(), OBR, obx()), "AE", "101", id="27 no PID"),
    pytest.param(er7(msh(), "PID|1||", obx()), "AE", "101", id="27 PID-3 empty"),
    pytest.param(er7(msh(), PID, OBR, obx(), PID.replace("P1", "P2"), OBR, obx()), "AA", "", id="28 two patients"),
    pytest.param(er7(msh(), PID, obx(), OBR), "AA", "", id="29 OBX before OBR"),
    pytest.param(er7(msh(), PID, obx()), "AA", "", id="29 no OBR"),
    *(
        pytest.param(oru(obx(value=value)), "AA", "102", id=f"30 number {value[:12]!r}")
        for value in ("abc", ">60", "60~120", "1e400", "NaN", "-100", "7 2", "７２", "inf", "1_0", "9" * 400, "0x10")
    ),
    pytest.param(oru(obx(value='""')), "AA", "", id="31 null"),
    pytest.param(oru(obx(SYSTOLIC, "900000", "mm[Hg]")), "AA", "102", id="32 pressure"),
    pytest.param(oru(obx(TEMPERATURE, "384.5", "Cel")), "AA", "102", id="32 temperature"),
    pytest.param(oru(obx(SPO2, "8388607", "%")), "AA", "102", id="32 saturation"),
    pytest.param(oru(obx(TEMPERATURE, "98.6", "Cel")), "AA", "102", id="33 Fahrenheit as Celsius"),
    pytest.param(oru(obx(TEMPERATURE, "37", "[degF]")), "AA", "102", id="33 Celsius as Fahrenheit"),
    pytest.param(oru(obx(obx_11="D")), "AA", "", id="34 deleted"),
    pytest.param(oru(obx(obx_11="W")), "AA", "", id="34 posted as wrong"),
    pytest.param(oru(obx(value=82, obx_11="C"), obx(value=182)), "AA", "", id="35 correction first"),
    pytest.param(oru(obx(obx_14="20990101000000")), "AA", "", id="36 year 2099"),
    pytest.param(oru(obx(obx_14="20261301")), "AA", "102", id="36 month 13"),
    pytest.param(oru(obx(obx_14="00000000000000")), "AA", "102", id="36 zeros"),
    pytest.param(oru(obx(), obx("X^\\T^L", "x", kind="ST")), "AA", "", id="37 unterminated escape"),
    pytest.param(oru(obx("X^\\X0D0A\\OBX^L", "x", kind="ST")), "AA", "", id="37 line end in an escape"),
    pytest.param(oru(obx("X^" + "\\" * 10_000 + "^L", "x", kind="ST")), "AA", "", id="37 ten thousand escapes"),
    pytest.param(SEPARATORS, "AE", "207", id="38 separators"),
    pytest.param(oru(obx(value="~" * 5_000)), "AE", "207", id="38 repetitions"),
    pytest.param(MANY_OBSERVATIONS, "AE", "207", id="38 observations"),
    pytest.param(er7(msh(), *[PID] * 200), "AE", "207", id="38 patients"),
    pytest.param(oru(obx(), *["NTE" + "|" * 1_000] * 60), "AE", "207", id="38 fields"),
    pytest.param(oru(obx(), msh_10="' OR 1=1; --"), "AA", "", id="39 SQL in the id"),
    pytest.param(oru(obx("X^<script>^L", "=1+1", kind="ST")), "AA", "", id="39 markup and formula"),
    pytest.param(oru(obx(), msh_10="x" * 10_000), "AE", "102", id="39 id of ten thousand characters"),
    pytest.param(oru(obx(), obx("P^PDF^L", "^AP^PDF^Base64^" + "QUJD" * 200_000, "", "ED")), "AA", "", id="41 file"),
    pytest.param(oru(obx(), obx("P^PDF^L", "Q" * 3_000_000, "", "ED")), "AE", "207", id="41 document over the limit"),
    pytest.param(oru(obx(), msh_10="M^1\\R\\2"), "AA", "", id="42 id with delimiters"),
    pytest.param(b"FHS|^~\\&\rBHS|^~\\&\r" + GOOD, "AR", "200", id="43 file"),
    pytest.param(b"BHS|^~\\&\r" + GOOD, "AR", "200", id="43 batch"),
    pytest.param(er7(msh(msh_9="ACK^R01"), "MSA|AA|M1"), "", "", id="44 acknowledgment"),
    pytest.param(GOOD + GOOD, "AE", "100", id="two messages in one"),
    pytest.param(er7(msh(), msh()), "AE", "100", id="two heartbeats in one"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "code", "condition"), ANSWERS)
def test_bad_input_has_its_answer(raw: bytes, code: str, condition: str) -> None:
    reply = answer(raw)

    assert told(reply) == ("", code)
    errors = [line for line in lines(reply.application) if line[0] == "ERR"] if code else []
    assert {line[3].partition("^")[0] for line in errors} == ({condition} if condition else set())
    assert {line[4] for line in errors} <= ({"W"} if code == "AA" else {"E"})


def test_every_number_has_a_case() -> None:
    numbered = {int(str(case.id).split()[0]) for case in ANSWERS if str(case.id)[0].isdigit()}

    assert numbered | NOT_OURS == set(range(1, 45))


@pytest.mark.parametrize("raw", [SEPARATORS, MANY_OBSERVATIONS, oru(obx(value="~" * 400_000))], ids=["^", "OBX", "~"])
def test_a_flood_is_refused_at_once(raw: bytes) -> None:
    started = time.process_time()
    told(answer(raw))

    assert time.process_time() - started < 0.05


WITHDRAWN = oru(*(obx(value=number % 90 + 10, obx_11="FW"[number % 2]) for number in range(1_900)))
CLEARED = oru(*(obx(value=(72, '""')[number % 2], obx_4=str(number // 2)) for number in range(1_900)))


@pytest.mark.parametrize(
    ("most", "least"),
    [(oru(*[obx()] * 1_900), oru(*[obx()] * 190)), (WITHDRAWN, oru(*[obx()] * 190)), (CLEARED, oru(*[obx()] * 190))],
    ids=["values", "withdrawals", "nulls"],
)
def test_the_largest_message_costs_what_its_size_says(most: bytes, least: bytes) -> None:
    """Ten times the observations; a cost that grows with their square would be a hundred times as high."""

    def cost(raw: bytes) -> float:
        started = time.process_time()
        snapshot(raw)
        return time.process_time() - started

    assert min(cost(most) for _ in range(3)) < 40 * min(cost(least) for _ in range(3))


def test_mojibake_is_remarked() -> None:
    raw = oru(obx(), msh_18="8859/1").replace(b"Rosa", "José".encode())

    assert "charset-doubtful" in read(raw).remarks


def test_an_escaped_line_end_makes_no_segment() -> None:
    raw = oru(obx("X^\\X0D\\OBX^L", "x", kind="ST"), "NTE|1||\\X0D\\" + obx(value=40))

    assert read(raw).account.read["OBX"] == 1


def test_a_correction_before_the_original_is_the_final_state() -> None:
    assert values(snapshot(oru(obx(value=82, obx_11="C"), obx(value=182)))) == {"heart_rate": 82.0}


def test_a_refused_time_is_not_the_time_of_the_order() -> None:
    assert unused(snapshot(oru(obx(obx_14="20261301")))) == {"heart_rate": "no-time"}


# --- any bytes

PIECES = st.sampled_from(
    [msh(), msh(msh_9="ADT^A40"), msh(msh_15="AL"), "MSH", "MSH|", PID, PV1, "PID", "PID|||~~^^&&", "MRG|", "PV1",
     "PV2", OBR, "OBR", "OBX", "OBX||||||||||||||", obx(), obx(value="~^&\\"), obx(HEART_RATE, "", ""), "DG1|1||^^^^^",
     "OBX|1|SN|35094-2^^LN||^1^/|mm[Hg]|||||F", "OBX|1|CWE|67775-7^^LN||^^^^^^^^x", "ZZZ|\\X0D\\", "\x00",
     "\x0b\x1c\r", "\n", "", "BHS|^~\\&"]
)  # fmt: skip


def read_or_refuse(raw: bytes) -> Message | InvalidMessage:
    try:
        return read_message(raw)
    except InvalidMessage as error:
        return error


@settings(max_examples=400)
@given(
    raw=st.binary(max_size=300)
    | st.binary(max_size=300).map(lambda rest: b"MSH|^~\\&|" + rest)
    | st.lists(PIECES, max_size=12).map(lambda pieces: "\r".join(pieces).encode())
    | st.tuples(st.lists(PIECES, max_size=12), st.text(max_size=60), st.sampled_from(["\r", "\n", "|", "^"])).map(
        lambda made: made[2].join([msh(), *made[0], made[1]]).encode("utf-8", "surrogatepass")
    )
)
def test_any_bytes_are_acknowledged_or_refused_by_name(raw: bytes) -> None:
    outcome = read_or_refuse(raw)

    if isinstance(outcome, InvalidMessage):
        reply = acknowledge_refusal(raw, outcome, at=AT, control_id="R1")
        assert outcome.where
        assert outcome.is_answered or not any(reply)
        return
    reply = acknowledge(outcome.header, outcome.faults, at=AT, control_id="R1")
    for number in range(len(outcome.patients)):
        snapshot_from_message(outcome, number, at=AT, policy=ReadingPolicy(), tables=TABLES)
    assert any(reply) or outcome.header.is_enhanced
