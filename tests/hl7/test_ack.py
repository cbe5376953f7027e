from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cds_service.errors import InvalidMessage
from cds_service.hl7.ack import Reply, acknowledge, acknowledge_refusal, acknowledge_trouble
from cds_service.hl7.ack_segments import MAX_FAULTS
from cds_service.hl7.header import header_of
from cds_service.hl7.reader import read_message
from tests.hl7.builders import PID, er7, msh, obx, oru

AT = datetime(2026, 3, 14, 7, 31, tzinfo=UTC)


def answer(raw: bytes) -> Reply:
    """What the sender of these bytes is told."""
    try:
        message = read_message(raw)
    except InvalidMessage as error:
        return acknowledge_refusal(raw, error, at=AT, control_id="R1")
    return acknowledge(message.header, message.faults, at=AT, control_id="R1")


def lines(acknowledgment: bytes | None) -> list[list[str]]:
    assert acknowledgment is not None
    assert acknowledgment.endswith(b"\r")
    text = acknowledgment.decode()
    return [line.split(text[3]) for line in text.rstrip("\r").split("\r")]


def told(reply: Reply) -> tuple[str, str]:
    """MSA-1 of the accept and of the application acknowledgment, empty where there is none."""
    accept, application = (lines(one)[1][1] if one else "" for one in reply)
    return accept, application


def test_a_message_in_original_mode_gets_one_application_acknowledgment() -> None:
    reply = answer(oru(obx()))

    assert reply.accept is None
    assert reply.application == (
        b"MSH|^~\\&|CDS|HOSP|MONITOR|ED|20260314073100+0000||ACK^R01^ACK|R1|P|2.5.1\rMSA|AA|M1\r"
    )


@pytest.mark.parametrize(
    ("accept", "apply", "good", "wrong"),
    [
        ("AL", "AL", ("CA", "AA"), ("CE", "")),
        ("AL", "NE", ("CA", ""), ("CE", "")),
        ("NE", "AL", ("", "AA"), ("", "AE")),
        ("NE", "NE", ("", ""), ("", "")),
        ("ER", "SU", ("", "AA"), ("CE", "")),
        ("SU", "ER", ("CA", ""), ("", "AE")),
        ("AL", "", ("CA", ""), ("CE", "")),
        ("", "AL", ("", "AA"), ("", "AE")),
        ("AL", "ER", ("CA", ""), ("CE", "")),
    ],
)
def test_enhanced_mode_answers_as_msh_15_and_16_ask(
    accept: str, apply: str, good: tuple[str, str], wrong: tuple[str, str]
) -> None:
    fields = {"msh_15": accept, "msh_16": apply}

    assert told(answer(oru(obx(), **fields))) == good
    assert told(answer(er7(msh(**fields), "PID|1", obx()))) == wrong


def test_two_acknowledgments_of_one_message_have_ids_of_their_own() -> None:
    reply = answer(oru(obx(), msh_15="AL", msh_16="AL"))

    assert [lines(one)[0][9] for one in reply] == ["R1C", "R1"]
    assert [lines(one)[0][14:16] for one in reply] == [["NE", "NE"]] * 2


@pytest.mark.parametrize(
    ("mode", "code"), [({}, "AR"), ({"msh_15": "AL"}, "CR")], ids=["original mode", "enhanced mode"]
)
def test_an_unsupported_type_is_rejected(mode: dict[str, str], code: str) -> None:
    accept, application = told(answer(er7(msh(msh_9="VXU^V04", **mode))))

    assert (accept or application) == code


@pytest.mark.parametrize(
    "control_id",
    ["M^1", "a\\R\\b", "Ñ-7", "x" * 199, " 17 ", "1\t7"],
    ids=["component", "escape", "accent", "199", "blanks", "tab"],
)
def test_the_control_id_comes_back_byte_for_byte(control_id: str) -> None:
    reply = answer(oru(obx(), msh_10=control_id))

    assert reply.application is not None
    assert b"MSA|AA|" + control_id.encode() + b"\r" in reply.application


def test_the_control_id_comes_back_in_the_bytes_of_its_character_set() -> None:
    raw = er7(msh(msh_10="Ñ-7", msh_18="8859/1"), PID, obx(), encoding="latin-1")

    reply = answer(raw)

    assert reply.application is not None
    assert b"MSA|AA|\xd1-7\r" in reply.application
    assert reply.application.split(b"\r")[0].endswith(b"|8859/1")


def test_an_overlong_control_id_is_refused_and_cut() -> None:
    reply = answer(oru(obx(), msh_10="x" * 10_000))

    assert reply.application is not None
    assert b"MSA|AE|" + b"x" * 199 + b"\r" in reply.application


def test_a_rejected_observation_is_a_warning_and_the_rest_is_accepted() -> None:
    raw = oru(obx(), obx(unit="furlong", code="9279-1^Respiratory rate^LN", value=16))

    sent = lines(answer(raw).application)

    assert sent[1][:2] == ["MSA", "AA"]
    assert sent[2][:5] == ["ERR", "", "OBX^2^6", "103^Table value not found^HL70357", "W"]
    assert sent[2][8] == "OBX[2]-6: respiratory_rate: unknown-unit"


def test_an_old_version_has_no_way_to_warn() -> None:
    sent = lines(answer(oru(obx(value="abc"), msh_12="2.3")).application)

    assert [line[0] for line in sent] == ["MSH", "MSA"]
    assert sent[1] == ["MSA", "AA", "M1"]


def test_everything_strict_mode_objects_to_is_listed() -> None:
    error = InvalidMessage("is required", where="OBX[1]-3", code=100, details=(("ZXX", "has no place"),))

    sent = lines(acknowledge_refusal(oru(obx()), error, at=AT, control_id="R1").application)

    assert [line[2] for line in sent if line[0] == "ERR"] == ["OBX^1^3", "ZXX^1"]


def test_a_missing_identifier_is_an_error_of_the_content() -> None:
    sent = lines(answer(er7(msh(), "PID|1", obx())).application)

    assert sent[1][1] == "AE"
    assert sent[2][2:5] == ["PID^1^3", "101^Required field missing^HL70357", "E"]


@pytest.mark.parametrize(
    ("version", "head", "error"),
    [
        ("2.1", "ACK", "ERR|PID^1^3^101&Required field missing"),
        ("2.3", "ACK^R01", "ERR|PID^1^3^101&Required field missing"),
        ("2.4", "ACK^R01^ACK", "ERR|PID^1^3^101&Required field missing"),
        ("2.5", "ACK^R01^ACK", "ERR||PID^1^3|101^Required field missing^HL70357|E"),
        ("2.9", "ACK^R01^ACK", "ERR||PID^1^3|101^Required field missing^HL70357|E"),
    ],
)
def test_the_answer_is_in_the_version_of_the_sender(version: str, head: str, error: str) -> None:
    reply = answer(er7(msh(msh_12=version), "PID|1", obx()))

    sent = lines(reply.application)
    assert (sent[0][8], sent[0][11]) == (head, version)
    assert "|".join(sent[2]).startswith(error)
    assert (len(sent[1]) == 4) == (version < "2.5")


@pytest.mark.parametrize(("sent", "answered"), [("3.0", "2.9"), ("", "2.5.1")])
def test_a_version_we_do_not_know_is_answered_in_one_we_do(sent: str, answered: str) -> None:
    reply = answer(oru(obx(), msh_12=sent))

    assert lines(reply.application)[0][11] == answered
    assert lines(reply.application)[1][1] == "AR"


def test_the_sender_is_answered_in_its_own_delimiters() -> None:
    raw = er7(msh(), "PID|1", obx()).translate(bytes.maketrans(b"|^~\\&", b"$*\x25/!"))

    reply = answer(raw)

    assert reply.application is not None
    assert reply.application.startswith(b"MSH$*\x25/!$CDS$HOSP$MONITOR$ED$")
    assert b"ERR$$PID*1*3$101*Required field missing*HL70357$E$" in reply.application


def test_our_own_words_are_escaped() -> None:
    reply = answer(oru(obx(), msh_18="GREEK^1"))

    assert reply.application is not None
    assert reply.application.count(b"\r") == 3


@pytest.mark.parametrize("raw", [b"", b"hello", b"PID|1\r", b"MSH", b"MSH|", b"\x00" * 40, b"MSH||||||\r"])
def test_bytes_without_a_header_are_rejected_without_an_id(raw: bytes) -> None:
    sent = lines(answer(raw).application)

    assert sent[0][:2] == ["MSH", "^~\\&"]
    assert sent[0][8] == "ACK"
    assert sent[1] == ["MSA", "AR"]


@pytest.mark.parametrize("kind", ["ACK", "ACK^R01^ACK", "MCF", "ORU^R01"])
def test_an_acknowledgment_is_never_acknowledged(kind: str) -> None:
    raw = er7(msh(msh_9=kind, msh_15="AL"), "MSA|AA|M1") if kind == "ORU^R01" else er7(msh(msh_9=kind, msh_15="AL"))

    assert answer(raw) == Reply()


def test_trouble_of_ours_asks_for_the_same_message_again() -> None:
    original = acknowledge_trouble(header_of(oru(obx())), at=AT, control_id="R1")
    enhanced = acknowledge_trouble(header_of(oru(obx(), msh_15="AL")), at=AT, control_id="R1")

    assert told(original) == ("", "AR")
    assert told(enhanced) == ("CR", "")
    assert "207^Application internal error^HL70357" in lines(original.application)[2]


def test_an_answer_lists_a_bounded_number_of_faults() -> None:
    reply = answer(oru(*[obx(value="seventy")] * 500))

    assert reply.application is not None
    assert reply.application.count(b"\rERR|") == MAX_FAULTS


def test_nothing_echoed_can_break_the_frame() -> None:
    raw = b"MSH|^~\\&|A\x1c|B\x0b|C|D|||ORU^R01|M\x1c1|P|2.5.1\r"

    reply = answer(raw)

    assert reply.application is not None
    assert not {0x0B, 0x1C} & set(reply.application)


def test_no_value_of_a_patient_is_in_an_answer() -> None:
    raw = oru(
        obx(value="secret-value"), obx(value=999, unit="secret"), obx(code="8310-5^Temp^LN", value="41.7", unit="F")
    )

    reply = answer(raw)

    assert reply.application is not None
    for secret in (b"secret", b"999", b"41.7", b"Rosa", b"Ejemplo", b"P1^"):
        assert secret not in reply.application
