"""What a trustworthy reader does, point by point: messages, text, codes, values, statuses, times, patients."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest

from cds_service.domain.statements import Refusal
from cds_service.errors import InvalidMessage
from cds_service.hl7.events import EVENTS, VERSIONS, Effect
from cds_service.hl7.message import Change
from cds_service.hl7.reader import refuse_ahead
from cds_service.hl7.site import Sender, SiteMap
from tests.hl7.builders import (
    DIASTOLIC,
    GCS,
    HEART_RATE,
    NOW,
    OBR,
    PID,
    PV1,
    RESPONSIVENESS,
    SPO2,
    SYSTOLIC,
    TEMPERATURE,
    WEIGHT,
    er7,
    msh,
    obx,
    oru,
    read,
    snapshot,
    unused,
    values,
)

MADRID = ZoneInfo("Europe/Madrid")


def site(**members: object) -> SiteMap:
    maps = {name: MappingProxyType(value) if isinstance(value, dict) else value for name, value in members.items()}
    return SiteMap(**maps)  # type: ignore[arg-type]


# --- characters and delimiters (points 13 to 18)


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("", "utf-8"),
        ("UNICODE UTF-8", "utf-8"),
        ("UNICODE", "utf-8"),
        ("UTF-8", "utf-8"),
        ("utf8", "utf-8"),
        ("8859/1", "latin-1"),
        ("8859/15", "iso8859-15"),
        ("ESP", "utf-8"),
        ("ASCII", "utf-8"),
        ("UNICODE UTF-8~ISO IR87", "utf-8"),
    ],
)
def test_text_is_read_in_the_declared_character_set(declared: str, encoding: str) -> None:
    name = PID.replace("Ejemplo", "Núñez")

    made = snapshot(er7(msh(msh_18=declared), name, PV1, obx(), encoding=encoding))

    assert made.identity.name == "Rosa Núñez"


@pytest.mark.parametrize(("declared", "remark"), [("", "charset-guessed"), ("ASCII", "charset-guessed")])
def test_latin_1_without_a_declaration_is_read_with_a_remark(declared: str, remark: str) -> None:
    raw = er7(msh(msh_18=declared), PID.replace("Ejemplo", "Núñez"), obx(), encoding="latin-1")

    assert snapshot(raw).identity.name == "Rosa Núñez"
    assert remark in read(raw).remarks


@pytest.mark.parametrize(
    ("declared", "code"), [("EBCDIC", 103), ("UNICODE UTF-16", 103), ("UNICODE UTF-8", 102), ("GB 18030-2000", 102)]
)
def test_a_character_set_that_is_unknown_or_untrue_is_refused(declared: str, code: int) -> None:
    raw = er7(msh(msh_18=declared), PID.replace("Ejemplo", "N\xfa\xff"), obx(), encoding="latin-1")

    with pytest.raises(InvalidMessage) as refused:
        read(raw)

    assert (refused.value.where, refused.value.code) == ("MSH-18", code)


@pytest.mark.parametrize("marks", ["^~\\&", "^~\\&#", "*%/!", "~^&\\"])
def test_delimiters_are_those_the_message_declares(marks: str) -> None:
    table = bytes.maketrans(b"^~\\&", marks[:4].encode())
    raw = oru(obx(value="128"))
    head, _, rest = raw.partition(b"^~\\&")

    made = snapshot(head + marks.encode() + rest.translate(table))

    assert values(made) == {"heart_rate": 128.0}


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"], ids=["CR", "LF", "CRLF"])
def test_segments_end_in_any_line_end(end: str) -> None:
    raw = er7(msh(), PID, "", "  ", PV1, OBR, obx(), obx(SPO2, 91, "%"), end=end)

    assert values(snapshot(raw)) == {"heart_rate": 128.0, "spo2": 91.0}
    assert ("line-feed-ends" in read(raw).remarks) == (end != "\r")


def test_a_line_feed_in_a_text_makes_no_segment() -> None:
    assert values(snapshot(oru(obx(), "NTE|1||two\nlines"))) == {"heart_rate": 128.0}


def test_a_line_feed_that_may_begin_a_segment_is_refused() -> None:
    with pytest.raises(InvalidMessage, match="end every segment alike") as refused:
        read(oru(obx(), "NTE|1||two\n" + obx(value=40)))

    assert (refused.value.where, refused.value.code) == ("MSH", 100)


def test_every_segment_is_accounted_for() -> None:
    raw = er7(msh(), PID, PV1, "ZXX|1", "NTE|1||x", OBR, obx(), "AL1|1", "nonsense", "pid|2", "PRT|1", "")

    account = read(raw).account

    assert dict(account.read) == {"MSH": 1, "PID": 1, "PV1": 1, "OBR": 1, "OBX": 1}
    assert dict(account.ignored) == {"ZXX": 1, "NTE": 1, "AL1": 1, "PRT": 1}
    assert (account.refused, account.total) == (2, 11)


def test_lines_that_are_no_segments_are_a_warning() -> None:
    (fault,) = read(oru(obx(), "nonsense")).faults

    assert (fault.code, fault.is_error) == (100, False)


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("a\\F\\b", "a|b"),
        ("\\S\\\\T\\\\R\\\\E\\", "^&~\\"),
        ("\\X41\\", "A"),
        ("\\XC3B1\\", "ñ"),
        ("a\\.br\\b", "a b"),
        ("\\H\\bold\\N\\", "\\H\\bold\\N\\"),
        ("\\Zxy\\", "\\Zxy\\"),
        ("\\E\\F\\E\\", "\\F\\"),
        ("\\X00\\", "\\X00\\"),
        ("\\XFF\\", "\\XFF\\"),
        ("open\\T", "open\\T"),
    ],
)
def test_escapes_are_resolved_once_and_unknown_ones_stay(sent: str, text: str) -> None:
    made = snapshot(er7(msh(), f"PID|1||P1^^^HOSP||{sent}", obx()))

    assert made.identity.name == text


def test_null_is_not_empty() -> None:
    cleared, silent = snapshot(oru(obx(value='""'))), snapshot(oru(obx(value="")))

    assert [one.detail for one in cleared.not_used] == ["null"]
    assert [one.detail for one in silent.not_used] == [""]
    assert [one.change for one in read(oru(obx(value='""'))).patients[0].changes] == [Change.CLEARS]


def test_null_clears_an_older_value() -> None:
    made = snapshot(oru(obx(obx_14="20260314082000+0100"), obx(value='""')))

    assert made.readings == {}
    assert [one.reason.value for one in made.not_used] == ["superseded", "no-value"]


# --- values (points 19, 20, 25 to 27)


@pytest.mark.parametrize(
    ("kind", "code", "value", "unit", "reads"),
    [
        pytest.param("NM", HEART_RATE, "72", "/min", {"heart_rate": 72.0}, id="number"),
        pytest.param("NM", HEART_RATE, "+72.50", "/min", {"heart_rate": 72.5}, id="number with sign and decimals"),
        pytest.param("SN", HEART_RATE, "^72", "/min", {"heart_rate": 72.0}, id="structured number"),
        pytest.param("SN", HEART_RATE, "=^72", "/min", {"heart_rate": 72.0}, id="structured number with equals"),
        pytest.param("ST", HEART_RATE, "72", "/min", {"heart_rate": 72.0}, id="number as text"),
        pytest.param(
            "SN", "35094-2^BP^LN", "^140^/^84", "mm[Hg]", {"systolic_bp": 140.0, "diastolic_bp": 84.0}, id="pair"
        ),
        pytest.param(
            "ST", "85354-9^BP^LN", "120/80", "mmHg", {"systolic_bp": 120.0, "diastolic_bp": 80.0}, id="pair as text"
        ),
        pytest.param("CE", RESPONSIVENESS, "248234008^Alert^SCT", "", {"consciousness": "A"}, id="coded"),
        pytest.param("CWE", RESPONSIVENESS, "9^x^99L^300202002^Voice^SCT", "", {"consciousness": "V"}, id="alternate"),
        pytest.param("ID", "371825009^Patient on oxygen^SCT", "Y", "", {"on_oxygen": True}, id="flag, yes"),
        pytest.param("CWE", "371825009^Patient on oxygen^SCT", "N^No^HL70136", "", {"on_oxygen": False}, id="flag, no"),
        pytest.param("CWE", "722742002^Breathing room air^SCT", "", "", {"on_oxygen": False}, id="flag by its code"),
        pytest.param("NM", GCS, "14", "", {"gcs_total": 14.0}, id="score without unit"),
        pytest.param("NM", TEMPERATURE, "101.3", "[degF]^F^UCUM", {"temperature": 38.5}, id="Fahrenheit"),
        pytest.param("NM", TEMPERATURE, "38.5", "268192^MDC_DIM_DEGC^MDC", {"temperature": 38.5}, id="device unit"),
        pytest.param("NM", HEART_RATE, "72", "bt^b^99L^264864^x^MDC", {"heart_rate": 72.0}, id="alternate unit"),
        pytest.param("NM", HEART_RATE, "72", "^bpm", {"heart_rate": 72.0}, id="unit as text only"),
        pytest.param("NM", SPO2, "0.97", "1", {"spo2": 97.0}, id="share of one"),
    ],
)  # fmt: skip
def test_value_is_read_by_its_type(kind: str, code: str, value: str, unit: str, reads: dict[str, object]) -> None:
    assert values(snapshot(oru(obx(code, value, unit, kind)))) == reads


@pytest.mark.parametrize(
    ("kind", "code", "value", "unit", "reason"),
    [
        pytest.param("NM", HEART_RATE, "60~120", "/min", "not-a-number", id="repetitions"),
        pytest.param("SN", HEART_RATE, ">^100", "/min", "comparator", id="limit"),
        pytest.param("SN", HEART_RATE, "^60^-^90", "/min", "not-a-number", id="range"),
        pytest.param("ST", HEART_RATE, "seventy", "/min", "not-a-number", id="words"),
        pytest.param("TX", HEART_RATE, "72", "/min", "not-a-number", id="text type"),
        pytest.param("RP", HEART_RATE, "https://x.example", "/min", "not-a-number", id="pointer"),
        pytest.param("ED", HEART_RATE, "^IM^JPEG^Base64^AAAA", "", "not-a-number", id="picture"),
        pytest.param("", HEART_RATE, "72", "/min", "not-a-number", id="no type"),
        pytest.param("CWE", HEART_RATE, "72", "/min", "not-a-number", id="number in a code"),
        pytest.param("NM", HEART_RATE, "72", "", "missing-unit", id="no unit"),
        pytest.param("NM", HEART_RATE, "72", "furlong", "unknown-unit", id="unknown unit"),
        pytest.param("NM", TEMPERATURE, "98.6", "Cel", "implausible", id="Fahrenheit sent as Celsius"),
        pytest.param("NM", TEMPERATURE, "37", "[degF]", "implausible", id="Celsius sent as Fahrenheit"),
        pytest.param("NM", SPO2, "8388607", "%", "implausible", id="device code for no value"),
        pytest.param("NM", TEMPERATURE, "-100", "Cel", "implausible", id="another device code for no value"),
        pytest.param("NM", WEIGHT, "0", "kg", "implausible", id="weight not measured"),
        pytest.param("ST", RESPONSIVENESS, "Alert", "", "unknown-value", id="level in words"),
        pytest.param("CWE", RESPONSIVENESS, "LA6560-2^Confused^LN", "", "unknown-value", id="confused, not said new"),
        pytest.param("CWE", RESPONSIVENESS, "450847001^Voice^SCT", "", "code-conflict", id="level and label disagree"),
        pytest.param("CWE", RESPONSIVENESS, "450847001^^SCT^^^^^^Voice", "", "code-conflict", id="level and its text"),
        pytest.param("NM", "8867-4^^LN^^^^^^Breathing", "16", "/min", "code-conflict", id="code and its text"),
        pytest.param("NM", "150021^MDC_PRESS_BLD_ART_SYS^MDC", "120", "266016", "code-conflict", id="mislabelled"),
        pytest.param("NM", "9269-2^GCS Motor^LN", "6", "{score}", "code-conflict", id="motor score as the total"),
        pytest.param("NM", "3141-9^LEAD^LN", "70", "kg", "code-conflict", id="lead as weight"),
        pytest.param("NM", "8867-4^Heart rate", "72", "/min", "code-conflict", id="no coding system"),
        pytest.param("NM", "8867-4^HR^LN^9279-1^RR^LN", "72", "/min", "code-conflict", id="two vital signs in one"),
        pytest.param("ID", "371825009^Patient on oxygen^SCT", "maybe", "", "unknown-value", id="neither yes nor no"),
        pytest.param("ID", "371825009^Patient on oxygen^SCT", "Y~N", "", "unknown-value", id="yes and no repeated"),
        pytest.param("TX", "371825009^Patient on oxygen^SCT", "Y", "", "unknown-value", id="yes as text"),
        pytest.param("CWE", "371825009^Oxygen^SCT", "Y^^HL70136^N^^HL70136", "", "code-conflict", id="yes and no"),
        pytest.param("CWE", "722742002^Air^SCT", "N^^HL70136", "", "unknown-value", id="room air denied"),
        pytest.param("NM", "85354-9^BP^LN", "120/80", "mm[Hg]", "not-a-number", id="pair as a number"),
        pytest.param("ST", "35094-2^BP^LN", "120 over 80", "mm[Hg]", "not-a-number", id="pair in words"),
    ],
)  # fmt: skip
def test_value_is_left_out_with_its_reason(kind: str, code: str, value: str, unit: str, reason: str) -> None:
    made = snapshot(oru(obx(code, value, unit, kind)))

    assert made.readings == {}
    assert {one.reason.value for one in made.not_used} == {reason}


@pytest.mark.parametrize(
    "code", ["150023^MDC_PRESS_BLD_NONINV_MEAN^MDC", "8478-0^Mean^LN", "718-7^Hb^LN", "X^Y^L", "1894^Non-HDL", "X", ""]
)
def test_what_is_no_vital_sign_is_passed_over(code: str) -> None:
    made = snapshot(oru(obx(code, 93, "mm[Hg]")))

    assert (dict(made.readings), made.not_used) == ({}, ())
    assert "no-vital-sign-recognised" in made.remarks


def test_arterial_saturation_is_spo2_only_among_vital_signs() -> None:
    alone = obx("2708-6^Oxygen saturation^LN", 97, "%")
    gas = OBR.replace("85353-1^Vital signs panel^LN", "24336-0^Gas panel^LN")

    assert values(snapshot(oru(alone))) == {"spo2": 97.0}
    assert unused(snapshot(er7(msh(), PID, PV1, gas, alone))) == {"spo2": "code-conflict"}


@pytest.mark.parametrize("mark", ["DEMO", "NAV", "INV", "L~DEMO", "^DEMO", "demo"])
def test_what_a_device_marks_as_no_measurement_is_left_out(mark: str) -> None:
    assert unused(snapshot(oru(obx(obx_8=mark)))) == {"heart_rate": "not-measured"}


def test_alert_on_a_scale_without_confusion_says_so() -> None:
    plain = snapshot(oru(obx(RESPONSIVENESS, "248234008^Alert^SCT", "", "CWE")))
    asked = snapshot(oru(obx("1104441000000107^ACVPU^SCT", "248234008^Alert^SCT", "", "CWE")))

    assert plain.readings["consciousness"].flags == ("confusion-not-asked",)
    assert asked.readings["consciousness"].flags == ()


@pytest.mark.parametrize(
    ("map_", "code", "unit", "reads"),
    [
        pytest.param({"codes": {"101^99MON": "heart_rate"}}, "101^HR^99MON", "/min", {"heart_rate": 72.0}, id="code"),
        pytest.param({"codes": {"HR^": "heart_rate"}}, "HR", "/min", {"heart_rate": 72.0}, id="code without system"),
        pytest.param(
            {"codes": {"8867-4^LN": "heart_rate"}}, "8867-4^Breath^LN", "/min", {"heart_rate": 72.0}, id="trusted code"
        ),
        pytest.param({"codes": {"149522^MDC": "pulse_rate"}}, "149522^X^MDC", "bpm", {"pulse_rate": 72.0}, id="device"),
        pytest.param({"units": {"bt": "/min"}}, HEART_RATE, "bt", {"heart_rate": 72.0}, id="unit"),
        pytest.param({"missing_units": {"heart_rate": "/min"}}, HEART_RATE, "", {"heart_rate": 72.0}, id="no unit"),
        pytest.param({"missing_units": {"spo2": "%"}}, HEART_RATE, "", {}, id="no unit for another"),
        pytest.param({"units": {"bt": "kg"}}, HEART_RATE, "bt", {}, id="unit of another quantity"),
    ],
)
def test_the_site_names_local_codes_and_units(
    map_: dict[str, object], code: str, unit: str, reads: dict[str, float]
) -> None:
    assert values(snapshot(oru(obx(code, 72, unit)), site=site(**map_))) == reads


# --- status (point 21) and change


@pytest.mark.parametrize(
    ("status", "flags"),
    [("F", ()), ("C", ()), ("A", ()), ("R", ("preliminary",)), ("P", ("preliminary",)), ("S", ("preliminary",))],
)
def test_status_that_counts(status: str, flags: tuple[str, ...]) -> None:
    assert snapshot(oru(obx(obx_11=status))).readings["heart_rate"].flags == flags


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("D", "entered-in-error"),
        ("W", "entered-in-error"),
        ("X", "cancelled"),
        ("I", "not-final"),
        ("N", "not-final"),
        ("O", "not-final"),
        ("Z", "not-final"),
    ],
)
def test_status_that_does_not_count(status: str, reason: str) -> None:
    assert unused(snapshot(oru(obx(obx_11=status)))) == {"heart_rate": reason}


def test_a_device_may_be_trusted_with_unverified_values() -> None:
    trusted = site(senders={"MONITOR|ED": Sender(unverified_is_final=True)})

    assert snapshot(oru(obx(obx_11="R")), site=trusted).readings["heart_rate"].flags == ()


@pytest.mark.parametrize(
    ("fields", "flags"), [({"obx_11": ""}, ("status-missing",)), ({"obx_10": "F", "obx_11": ""}, ("status-in-obx-10",))]
)
def test_a_missing_or_misplaced_status_is_final_with_a_remark(fields: dict[str, str], flags: tuple[str, ...]) -> None:
    assert snapshot(oru(obx(**fields))).readings["heart_rate"].flags == flags


def test_a_withdrawal_one_field_early_is_heard() -> None:
    assert unused(snapshot(oru(obx(obx_10="W", obx_11="")))) == {"heart_rate": "entered-in-error"}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["correction last", "correction first"])
def test_the_correction_counts_in_whatever_order_it_comes(order: tuple[int, int]) -> None:
    sent = (obx(value=182), obx(value=82, obx_11="C"))

    made = snapshot(oru(*(sent[number] for number in order)))

    assert values(made) == {"heart_rate": 82.0}
    assert unused(made) == {"heart_rate": "superseded"}


@pytest.mark.parametrize("value", ["182", ""], ids=["with its value", "as a whole"])
@pytest.mark.parametrize("status", ["D", "W"])
def test_a_withdrawal_takes_back_the_value_of_its_moment(status: str, value: str) -> None:
    message = oru(obx(value=182), obx(value=value, obx_11=status))

    made = snapshot(message)

    assert made.readings == {}
    assert {one.reason.value for one in made.not_used} == {"entered-in-error"}
    (change,) = read(message).patients[0].changes
    assert (change.change, change.key) == (Change.WITHDRAWS, ("FI1", "8867-4^LN", ""))


def test_what_replaces_a_withdrawn_value_is_used() -> None:
    made = snapshot(oru(obx(value=182, obx_11="W"), obx(value=82)))

    assert values(made) == {"heart_rate": 82.0}


def test_two_values_of_one_moment_are_not_chosen_between() -> None:
    assert unused(snapshot(oru(obx(value=60), obx(value=120)))) == {"heart_rate": "conflicting"}


# --- times (point 22)


@pytest.mark.parametrize(
    ("sent", "zone", "utc", "flags"),
    [
        ("20260314082500+0100", "UTC", "2026-03-14T07:25:00", ()),
        ("20260314082500.1234+0100", "UTC", "2026-03-14T07:25:00.123400", ()),
        ("202603140825+0100", "UTC", "2026-03-14T07:25:00", ()),
        ("20260314052500-0200", "UTC", "2026-03-14T07:25:00", ()),
        ("20260314082500", "Europe/Madrid", "2026-03-14T07:25:00", ()),
        ("2026031408", "Europe/Madrid", "2026-03-14T07:00:00", ("time-partial",)),
    ],
)
def test_time_of_an_observation(sent: str, zone: str, utc: str, flags: tuple[str, ...]) -> None:
    made = snapshot(oru(obx(obx_14=sent), msh_7="20260314083000"), site=SiteMap(zone=ZoneInfo(zone)))

    reading = made.readings["heart_rate"]
    assert (reading.time, reading.flags) == (datetime.fromisoformat(utc).replace(tzinfo=UTC), flags)


def test_the_zone_of_the_message_is_that_of_its_times() -> None:
    made = snapshot(oru(obx(obx_14="20260314082500"), msh_7="20260314083000+0100"))

    assert made.readings["heart_rate"].time == datetime(2026, 3, 14, 7, 25, tzinfo=UTC)


def test_a_sender_may_have_a_zone_of_its_own() -> None:
    elsewhere = site(zone=MADRID, senders={"MONITOR|ED": Sender(zone=ZoneInfo("Asia/Kolkata"))})

    made = snapshot(oru(obx(obx_14="20260314125500"), msh_7="20260314130000"), site=elsewhere)

    assert made.readings["heart_rate"].time == datetime(2026, 3, 14, 7, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("order", "flags"),
    [
        (OBR, ("time-from-order",)),
        *((f"OBR|1{'|' * (number - 1)}{NOW}", ("time-from-order",)) for number in (8, 14, 22)),
        ("OBR|1", ("time-from-message",)),
        ("NTE|1", ("time-from-message",)),
    ],
)
def test_without_a_time_the_orders_then_the_messages_counts(order: str, flags: tuple[str, ...]) -> None:
    made = snapshot(er7(msh(), PID, PV1, order, obx(obx_14="")))

    assert made.readings["heart_rate"].flags == flags


@pytest.mark.parametrize(
    "sent",
    [
        "20261314",
        "20260230",
        "00000000000000",
        "2026031425",
        "20260314082599",
        "yesterday",
        "20260314082500+99",
        "20260314082500+0175",
        "20260314082500+1500",
    ],
)
def test_a_time_that_is_none_is_not_replaced_by_another(sent: str) -> None:
    assert unused(snapshot(oru(obx(obx_14=sent)))) == {"heart_rate": "no-time"}


@pytest.mark.parametrize(("sent", "reason"), [("20990101000000+0000", "future"), ("20260313200000+0100", "stale")])
def test_a_reading_of_another_time_is_left_out(sent: str, reason: str) -> None:
    assert unused(snapshot(oru(obx(obx_14=sent)))) == {"heart_rate": reason}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "future"),
        ({"value": "abc"}, "future"),
        ({"value": '""'}, "future"),
        ({"obx_11": "W"}, "entered-in-error"),
        ({"obx_8": "DEMO"}, "not-measured"),
    ],
)
def test_what_is_said_of_the_future_gives_nothing_takes_nothing_back_and_is_told(
    fields: dict[str, str], reason: str
) -> None:
    sent = read(oru(obx(value=88), obx(obx_1="2", **{"obx_14": "20990101000000", **fields})))

    judged = refuse_ahead(sent, datetime(2026, 3, 15, tzinfo=UTC))

    of_now, ahead = judged.patients[0].observations
    assert of_now == sent.patients[0].observations[0]
    assert isinstance(ahead.value, Refusal)
    assert (ahead.value.reason.value, ahead.time, ahead.change) == (reason, None, Change.NONE)
    assert [(fault.where.partition("-")[0], fault.is_error) for fault in judged.faults] == [("OBX[2]", False)]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"obx_11": "W"}, "entered-in-error"),
        ({"obx_8": "DEMO"}, "not-measured"),
        ({"obx_3": "8867-4"}, "code-conflict"),
    ],
)
def test_what_spoils_an_observation_is_said_before_its_age(fields: dict[str, str], reason: str) -> None:
    assert unused(snapshot(oru(obx(obx_14="20200101", **fields)))) == {"heart_rate": reason}


def test_the_age_of_an_observation_is_said_before_its_value() -> None:
    assert unused(snapshot(oru(obx(value="abc", obx_14="20200101")))) == {"heart_rate": "stale"}


def test_a_pair_may_be_null() -> None:
    made = snapshot(oru(obx("85354-9^BP^LN", '""', "mm[Hg]", "ST")))

    assert [one.detail for one in made.not_used] == ["null", "null"]


def test_a_panel_without_a_value_only_holds_others() -> None:
    assert snapshot(oru(obx("85354-9^BP^LN", "", "", "ST", obx_11="X"))).not_used == ()


def test_a_time_the_clocks_skip_is_none() -> None:
    at = datetime(2026, 3, 29, 2, 0, tzinfo=UTC)

    made = snapshot(oru(obx(obx_14="20260329023000"), msh_7="20260329033000"), site=SiteMap(zone=MADRID), at=at)

    assert unused(made) == {"heart_rate": "no-time"}


def test_of_a_time_the_clocks_show_twice_the_earlier_counts() -> None:
    at = datetime(2026, 10, 25, 2, 0, tzinfo=UTC)

    made = snapshot(oru(obx(obx_14="20261025023000"), msh_7="20261025033000"), site=SiteMap(zone=MADRID), at=at)

    reading = made.readings["heart_rate"]
    assert (reading.time, reading.flags) == (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), ("time-ambiguous",))


def test_an_older_value_that_arrives_later_is_not_the_latest() -> None:
    made = snapshot(oru(obx(value=90), obx(value=130, obx_14="20260314080000+0100")))

    assert values(made) == {"heart_rate": 90.0}


# --- the message and the patient (points 23, 24, 29, 31)


@pytest.mark.parametrize(("processing_id", "real"), [("P", True), ("T", False), ("D", False), ("", False)])
def test_only_processing_id_p_is_of_real_patients(processing_id: str, real: bool) -> None:
    assert read(oru(obx(), msh_11=processing_id)).header.is_production is real


@pytest.mark.parametrize("version", sorted(VERSIONS))
def test_every_version_is_read(version: str) -> None:
    assert values(snapshot(oru(obx(), msh_12=version))) == {"heart_rate": 128.0}


def test_a_site_may_name_the_version_of_messages_without_one() -> None:
    assert values(snapshot(oru(obx(), msh_12=""), site=SiteMap(default_version="2.3"))) == {"heart_rate": 128.0}


ALL_EVENTS = [(kind, trigger) for kind, events in EVENTS.items() for trigger in events]
BESIDE = {"A24": (PID,), "A37": (PID,)} | dict.fromkeys(
    ("A18", "A34", "A40", "A43", "A44", "A45", "A47"), ("MRG|P0^^^HOSP",)
)


@pytest.mark.parametrize(("kind", "trigger"), ALL_EVENTS, ids="-".join)
@pytest.mark.parametrize("form", ["{0}^{1}^{0}_{1}", "{0}^{1}"], ids=["three components", "two"])
def test_every_event_that_may_carry_observations_is_read(kind: str, trigger: str, form: str) -> None:
    raw = er7(msh(msh_9=form.format(kind, trigger)), PID, *BESIDE.get(trigger, ()), PV1, OBR, obx())

    message = read(raw)

    assert (message.trigger, message.effect) == (trigger, EVENTS[kind][trigger])
    assert message.is_scorable
    assert [one.name for patient in message.patients for one in patient.observations] == ["heart_rate"]


@pytest.mark.parametrize("kind", ["ORU", "ORU_R01", "ORU^^ORU_R01", "oru^r01"])
def test_a_type_is_understood_in_any_form(kind: str) -> None:
    assert read(oru(obx(), msh_9=kind)).trigger == "R01"


def test_a_patient_is_named_by_an_identifier_and_its_authority() -> None:
    pid = "PID|1||77^^^^SS~P1^^^HOSP&1.2.3&ISO^MR~P2^^^OTHER||Ejemplo^Rosa"

    made = snapshot(er7(msh(), pid, obx()))

    assert made.identity.patient_id == "urn:oid:1.2.3|P1"
    assert made.identity.identifiers == (("", "77"), ("urn:oid:1.2.3", "P1"), ("OTHER", "P2"))


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        (SiteMap(), ""),
        (site(senders={"MONITOR|ED": Sender(authority="HOSP")}), "HOSP|P1"),
    ],
    ids=["nobody outside the message", "the sender's authority"],
)
def test_an_identifier_without_an_authority(rules: SiteMap, named: str) -> None:
    made = snapshot(er7(msh(), "PID|1||P1", obx()), site=rules)

    assert made.identity.patient_id == named
    assert ("patient-identifier-without-authority" in made.remarks) == (not named)


def test_an_authority_may_have_the_name_fhir_senders_use() -> None:
    rules = site(authorities={"HOSP": "https://hospital.example/mrn"})

    assert snapshot(oru(obx()), site=rules).identity.patient_id == "https://hospital.example/mrn|P1"


def test_the_authority_of_a_sender_has_that_name_too() -> None:
    rules = site(authorities={"HOSP": "https://hospital.example/mrn"}, senders={"MONITOR|ED": Sender(authority="HOSP")})

    made = snapshot(er7(msh(), "PID|1||P1", obx()), site=rules)

    assert made.identity.patient_id == "https://hospital.example/mrn|P1"


def test_each_observation_goes_to_its_own_patient() -> None:
    raw = er7(msh(), PID, OBR, obx(value=70), PID.replace("P1^", "P2^"), OBR, obx(value=90))

    assert [values(snapshot(raw, number))["heart_rate"] for number in (0, 1)] == [70.0, 90.0]
    assert [snapshot(raw, number).identity.patient_id for number in (0, 1)] == ["HOSP|P1", "HOSP|P2"]


def test_an_order_ends_with_its_patient() -> None:
    raw = er7(msh(), PID, OBR, obx(), PID.replace("P1^", "P2^"), obx(obx_14=""))

    assert read(raw).patients[1].observations[0].flags == ("time-from-message",)


@pytest.mark.parametrize("segments", [(OBR, obx()), ("PID|1", obx()), ('PID|1||""', obx())])
def test_observations_of_nobody_are_an_error_and_not_scored(segments: tuple[str, ...]) -> None:
    message = read(er7(msh(), *segments))

    assert [(fault.code, fault.is_error) for fault in message.faults] == [(101, True)]
    assert not message.is_scorable


def test_a_heartbeat_is_a_message_without_results() -> None:
    message = read(er7(msh()))

    assert (message.patients, message.faults) == ((), ())


@pytest.mark.parametrize(
    ("trigger", "segments", "where"),
    [
        ("A01", (), "PID"),
        ("A40", (PID,), "MRG-1"),
        ("A40", (PID, "MRG|"), "MRG-1"),
        ("A43", (PID,), "MRG-1"),
        ("A24", (PID,), "PID"),
        ("A37", (PID,), "PID"),
    ],
)
def test_an_event_without_what_it_is_about_is_an_error(trigger: str, segments: tuple[str, ...], where: str) -> None:
    (fault,) = read(er7(msh(msh_9=f"ADT^{trigger}"), *segments)).faults

    assert (fault.where, fault.code, fault.is_error) == (where, 101 if where == "MRG-1" else 100, True)


def test_a_merge_names_who_goes_into_whom() -> None:
    raw = er7(msh(msh_9="ADT^A40^ADT_A39"), PID, "MRG|P0^^^HOSP^MR~P9^^^HOSP^MR||A7^^^HOSP||V7^^^HOSP")

    message = read(raw)

    (merge,) = message.patients[0].merges
    assert message.effect is Effect.MERGES
    assert [one.value for one in message.patients[0].identifiers] == ["P1"]
    assert [one.value for one in merge.prior] == ["P0", "P9"]
    assert merge.prior_account is not None
    assert merge.prior_visit is not None
    assert (merge.prior_account.value, merge.prior_visit.value) == ("A7", "V7")


@pytest.mark.parametrize(
    ("kind", "visit", "encounter_class", "remark"),
    [
        ("ORU^R01", "PV1|1|E", "EMER", None),
        ("ORU^R01", "PV1|1|I", "IMP", None),
        ("ORU^R01", "PV1|1|O", "AMB", None),
        ("ORU^R01", "PV1|1|P", None, "no-encounter-under-way"),
        ("ORU^R01", "PV1|1|B", None, "encounter-class-unknown"),
        ("ORU^R01", "PV1|1|E" + "|" * 43 + "20260314080000", None, "no-encounter-under-way"),
        ("ADT^A03", "PV1|1|E", None, "no-encounter-under-way"),
        ("ADT^A13", "PV1|1|E" + "|" * 43 + "20260314080000", "EMER", None),
        ("ADT^A11", "PV1|1|E", None, "encounter-withdrawn"),
        ("ADT^A05", "PV1|1|I", None, "no-encounter-under-way"),
        ("ORU^R01", "NTE|1", None, "encounter-not-sent"),
    ],
)
def test_visit(kind: str, visit: str, encounter_class: str | None, remark: str | None) -> None:
    made = snapshot(er7(msh(msh_9=kind), PID, visit, OBR, obx()))

    assert made.encounter_class == encounter_class
    assert remark is None or remark in made.remarks


def test_a_visit_has_its_number_and_place() -> None:
    visit = read(er7(msh(), PID, "PV1|1|E|ED^01^1" + "|" * 16 + "V1^^^HOSP", OBR, obx())).patients[0].visit

    assert visit is not None
    assert visit.number is not None
    assert (visit.number.value, visit.number.system, visit.location) == ("V1", "HOSP", "ED^01^1")


@pytest.mark.parametrize(
    ("reason", "mode", "diagnosis", "group", "ambulance"),
    [
        ("R06.0^Dyspnoea^I10C", "A", "", "shortness-of-breath", True),
        ("^chest pain", "F", "", "chest-pain", False),
        ("^chest pain", "H", "", "chest-pain", True),
        ("X^^L^^chest pain", "P", "", "chest-pain", False),
        ("^something else", "X", "", None, None),
        ("", "", "DG1|1||R06.0^Dyspnoea^I10C|||A", "shortness-of-breath", None),
        ("", "", "DG1|1||^chest pain|||A", "chest-pain", None),
        ("", "", "DG1|1|||chest pain||A", "chest-pain", None),
        ("", "", "DG1|1||R06.0^Dyspnoea^I10C|||F", None, None),
    ],
)
def test_why_and_how_the_patient_came(
    reason: str, mode: str, diagnosis: str, group: str | None, ambulance: bool | None
) -> None:
    made = snapshot(er7(msh(), PID, PV1, f"PV2|||{reason}" + "|" * 35 + mode, diagnosis, OBR, obx()))

    assert (made.complaint_group, made.arrived_by_ambulance) == (group, ambulance)


@pytest.mark.parametrize(
    ("diagnosis", "codes", "remark"),
    [
        ("DG1|1||E11.9^Diabetes^I10C||20110502|F", ["E11.9"], None),
        ("DG1|1|I10C|E11.9^Diabetes||20110502", ["E11.9"], None),
        ("DG1|1||E11.9^Diabetes^I10C|||W", [], "condition-not-confirmed"),
        ("DG1|1||E11.9^Diabetes^I10C|||F" + "|" * 15 + "D", [], "condition-refuted-or-in-error"),
        ("DG1|1||^Sugar|||F", [], "condition-without-code"),
    ],
)
def test_diagnoses(diagnosis: str, codes: list[str], remark: str | None) -> None:
    made = snapshot(er7(msh(), PID, PV1, diagnosis, OBR, obx()))

    assert [condition.code for condition in made.conditions or ()] == codes
    assert made.conditions is not None
    assert remark is None or remark in made.remarks


def test_no_diagnoses_sent_is_not_an_empty_list() -> None:
    assert snapshot(oru(obx())).conditions is None


@pytest.mark.parametrize(
    ("birth_date", "years", "remark"),
    [
        ("19541102", 71.0, None),
        ("195411", 71.0, "birth-date-partial"),
        ("1954", 71.0, "birth-date-partial"),
        ("19541102000000", 71.0, None),
        ("", None, "birth-date-missing"),
        ('""', None, "birth-date-missing"),
        ("00000000", None, "birth-date-unreadable"),
        ("19090101", None, "birth-date-placeholder"),
        ("20270101", None, "birth-date-in-future"),
    ],
)
def test_age(birth_date: str, years: float | None, remark: str | None) -> None:
    made = snapshot(er7(msh(), PID.replace("19541102", birth_date), obx()))

    assert made.age_years == (years if years is None else pytest.approx(years, abs=1))
    assert remark is None or remark in made.remarks


@pytest.mark.parametrize(("sent", "sex"), [("M", "male"), ("F", "female"), ("f", "female"), ("U", None), ("", None)])
def test_sex(sent: str, sex: str | None) -> None:
    assert snapshot(er7(msh(), f"PID|1||P1^^^HOSP||||19541102|{sent}", obx())).sex == sex


def test_a_pressure_pair_that_cannot_be_is_left_out() -> None:
    made = snapshot(oru(obx(SYSTOLIC, 84, "mm[Hg]"), obx(DIASTOLIC, 120, "mm[Hg]")))

    assert unused(made) == {"systolic_bp": "inconsistent", "diastolic_bp": "inconsistent"}


def test_scale_two_needs_a_dated_attributed_record() -> None:
    def scale(value: str = "1", who: str = "N1^Nurse", when: str = "20260314082500+0100") -> int:
        code = "1104321000000108^NEWS2 oxygen saturation scale 2 score^SCT"
        return snapshot(oru(obx(code, value, "", obx_14=when, obx_16=who))).spo2_scale

    assert (scale(), scale(who="N1"), scale(who="^Nurse")) == (2, 2, 2)
    assert (scale(who=""), scale(value=""), scale(when="20260313000000+0100"), scale(when="2099")) == (1, 1, 1, 1)


def test_a_reason_names_the_type_that_was_sent() -> None:
    made = snapshot(oru(obx(kind="TX"), obx(SPO2, 91, "%", kind="")))

    assert [one.detail for one in made.not_used] == ["TX", "OBX-2 is empty"]


@pytest.mark.parametrize(
    ("answer", "pregnant"),
    [
        ("77386006^Pregnant^SCT", True),
        ("60001007^Not pregnant^SCT", False),
        ("261665006^Unknown^SCT", None),
        ("", None),
    ],
)
def test_pregnancy_status(answer: str, pregnant: bool | None) -> None:
    assert snapshot(oru(obx("82810-3^Pregnancy status^LN", answer, "", "CWE"))).pregnant is pregnant


@pytest.mark.parametrize("fields", [{"obx_11": "W"}, {"obx_14": "20990101"}, {"obx_14": "20240101"}])
def test_a_pregnancy_status_that_does_not_hold_is_not_used(fields: dict[str, str]) -> None:
    status = obx("82810-3^Pregnancy status^LN", "77386006^Yes^SCT", "", "CWE", **fields)

    assert snapshot(oru(status)).pregnant is None


@pytest.mark.parametrize(
    ("observation", "code"),
    [
        (obx(value="abc"), 102),
        (obx(kind="SN", value=">^100"), 102),
        (obx(value=999), 102),
        (obx(obx_14="20261301"), 102),
        (obx(unit=""), 101),
        (obx(unit="furlong"), 103),
        (obx("8867-4^Breathing^LN"), 103),
        (obx(RESPONSIVENESS, "LA6560-2^Confused^LN", "", "CWE"), 103),
    ],
)
def test_each_reason_has_its_condition(observation: str, code: int) -> None:
    (fault,) = read(oru(observation)).faults

    assert (fault.code, fault.is_error) == (code, False)


def test_one_bad_observation_does_not_lose_the_good_ones() -> None:
    message = oru(obx(), obx(SPO2, "ninety", "%"), obx(TEMPERATURE, 38.9, "Cel"))

    assert values(snapshot(message)) == {"heart_rate": 128.0, "temperature": 38.9}
    assert [(fault.where, fault.is_error) for fault in read(message).faults] == [("OBX[2]-5", False)]


def test_a_reading_says_where_it_stands() -> None:
    made = snapshot(oru(obx(), obx(SPO2, "ninety", "%")))

    assert made.readings["heart_rate"].source == "M1 OBX[1]"
    assert made.readings["heart_rate"].original == "128 /min"
    assert made.not_used[0].source == "M1 OBX[2]-5"


def test_observations_without_an_order_are_remarked() -> None:
    assert "observation-without-order" in read(er7(msh(), PID, obx())).remarks


def test_visit_details_without_a_visit_are_remarked() -> None:
    assert "visit-details-without-visit" in read(er7(msh(), PID, "PV2|||x", obx())).remarks
