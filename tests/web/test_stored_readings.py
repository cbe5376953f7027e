"""A hook that brings no vital signs uses those that arrived by HL7 v2, when everything agrees on who the patient is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from cds_service.runtime import Runtime
from cds_service.storage.audit_log import verify_chain
from tests.conftest import Clock, Service, started
from tests.databases import Database
from tests.hl7.builders import HEART_RATE, SPO2, SYSTOLIC, er7, msh, obx
from tests.web.calls import Json, card, fixture, post
from tests.web.test_messages import post as post_message
from tests.web.test_messages import rows

SYSTEM = "urn:oid:2.16.724.4.9.20"
TIME, EARLIER = "20260314092500+0100", "20260314091000+0100"
PID = "PID|1||4711^^^HOSP^MR||Ferrer^Tomas||19541102|M"
PV1 = "PV1|1|E|ED^01^1||||||||||||||||V1^^^HOSP"
OBR = f"OBR|1||FI1|85353-1^Vital signs panel^LN|||{TIME}"
NOT_AGREED = "Values another system sent were left out"
TAKEN_BACK = "A value another system sent was corrected or withdrawn"


@pytest.fixture
def ward(
    tmp_path: Path,
    empty_database: Path,
    predictor: Predictor,
    tables: CodeTables,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    each_database: Database,
) -> Iterator[Service]:
    """A service whose site says which identifier system the hospital's authority is, and whose clock goes on."""

    def now() -> datetime:
        clock.moment += timedelta(seconds=1)
        return clock.moment

    monkeypatch.setattr(Runtime, "now", staticmethod(now))
    site = tmp_path / "site.toml"
    site.write_text(f'[hl7.authorities]\nHOSP = "{SYSTEM}"\n', encoding="utf-8")
    own = {**each_database.settings, "CDS_SITE_FILE": str(site)}
    with started(tmp_path, empty_database, predictor, tables, **own) as service:
        yield service


def send(service: Service, *observations: str, pid: str = PID, pv1: str = PV1, **header: str) -> bytes:
    numbered = {"msh_10": f"M{rows(service, 'SELECT count(*) FROM messages')[0][0]}", **header}
    answer = post_message(service, er7(msh(**numbered), pid, pv1, OBR, *observations)).data
    assert b"|AA|" in answer, answer
    return answer


def vitals(heart_rate: object = 128, **changes: str) -> list[str]:
    told = {"obx_14": TIME, **changes}
    return [obx(HEART_RATE, heart_rate, **told), obx(SPO2, 91, "%", **told), obx(SYSTOLIC, 96, "mm[Hg]", **told)]


def asked(*, observations: str = "empty", **patient: Any) -> Json:
    """A call without vital signs; members of the patient replaced, None to leave one out."""
    body = fixture()
    prefetch = body["prefetch"]
    known = {"identifier": [{"system": SYSTEM, "value": "4711"}], **patient}
    prefetch["patient"] = {k: v for k, v in {**prefetch["patient"], **known}.items() if v is not None}
    nothing: Json = {"null": None, "empty": {"resourceType": "Bundle", "type": "searchset", "entry": []}}
    for key in ("observations", "examinations"):
        del prefetch[key]
        if observations != "absent":
            prefetch[key] = nothing[observations]
    return body


@pytest.mark.parametrize("observations", ["absent", "null", "empty"])
def test_readings_that_came_by_hl7_are_on_the_card_of_a_hook_without_any(ward: Service, observations: str) -> None:
    send(ward, *vitals())

    shown = card(ward.client, asked(observations=observations))

    assert "heart rate 128/min (`MONITOR M0 OBX[1]`)" in shown["detail"]
    assert "SpO2 91 %" in shown["detail"]


def test_without_an_agreeing_reading_absent_vital_signs_are_still_412(ward: Service) -> None:
    assert post(ward.client, asked(observations="absent")).status_code == 412


DISAGREEMENTS: dict[str, tuple[Json, str, str]] = {
    "birth-date": ({"birthDate": "1954-11-03"}, PID, PV1),
    "no-birth-date": ({"birthDate": None}, PID, PV1),
    "sex": ({"gender": "female"}, PID, PV1),
    "no-sex-in-the-message": ({}, PID.removesuffix("M"), PV1),
    "no-visit-in-the-message": ({}, PID, "ZZZ|1"),
    "visit-not-begun": ({}, PID, "PV1|1|P|ED"),
}


@pytest.mark.parametrize("case", DISAGREEMENTS)
def test_readings_are_left_out_and_the_card_says_so_when_something_differs(ward: Service, case: str) -> None:
    patient, pid, pv1 = DISAGREEMENTS[case]
    send(ward, *vitals(), pid=pid, pv1=pv1)

    shown = card(ward.client, asked(**patient))

    assert NOT_AGREED in shown["detail"]
    assert "128/min" not in shown["detail"]


def test_the_card_says_in_spanish_that_readings_were_left_out(ward: Service) -> None:
    send(ward, *vitals())

    shown = card(ward.client, asked(gender="female"), Accept_Language="es")

    assert "Se omitieron valores enviados por otro sistema" in shown["detail"]


@pytest.mark.parametrize(
    "identifier",
    [[{"system": "urn:oid:9.9", "value": "4711"}], [{"value": "4711"}], [{"system": SYSTEM, "value": "4712"}], None],
    ids=["another-system", "no-system", "another-patient", "no-identifier"],
)
def test_a_patient_is_found_by_system_and_value_only(ward: Service, identifier: object) -> None:
    send(ward, *vitals())

    shown = card(ward.client, asked(identifier=identifier))

    assert "128/min" not in shown["detail"]
    assert NOT_AGREED not in shown["detail"]


def test_an_encounter_of_another_number_does_not_agree(ward: Service) -> None:
    send(ward, *vitals())
    body = asked()
    encounter = body["prefetch"]["encounter"]["entry"][0]["resource"]

    encounter["identifier"] = [{"system": SYSTEM, "value": "V2"}]
    other = card(ward.client, body)
    again = asked()
    again["prefetch"]["encounter"]["entry"][0]["resource"]["identifier"] = [{"system": SYSTEM, "value": "V1"}]
    same = card(ward.client, again)

    assert NOT_AGREED in other["detail"]
    assert "128/min" in same["detail"]


def test_what_arrives_late_never_makes_an_old_value_the_latest(ward: Service) -> None:
    send(ward, *vitals(128))
    send(ward, *vitals(60, obx_14=EARLIER))

    assert "heart rate 128/min" in card(ward.client, asked())["detail"]


def test_a_correction_replaces_and_marks_predictions_stale(ward: Service) -> None:
    send(ward, *vitals(128))
    first = card(ward.client, asked())
    send(ward, obx(HEART_RATE, 88, obx_11="C", obx_14=TIME))

    shown = card(ward.client, asked())

    assert "heart rate 88/min" in shown["detail"]
    assert TAKEN_BACK in shown["detail"]
    stale = {
        UUID(str(found)).hex
        for (found,) in rows(ward, "SELECT prediction_id FROM prediction_events WHERE kind = 'stale'")
    }
    assert first["uuid"].replace("-", "") in stale
    assert len(stale) == 2  # the card's, and that of the first message
    assert rows(ward, "SELECT count(*) FROM audit WHERE action = 'prediction-stale'") == [(2,)]
    assert verify_chain(ward.runtime.engine, ward.runtime.keyring) is None


def test_a_withdrawal_takes_the_value_from_the_next_card_which_says_so(ward: Service) -> None:
    send(ward, *vitals(128))
    send(ward, obx(HEART_RATE, "", obx_11="W", obx_14=TIME))

    shown = card(ward.client, asked())

    assert TAKEN_BACK in shown["detail"]
    assert "heart rate 128/min (" not in shown["detail"]
    assert "SpO2 91 %" in shown["detail"]


def test_a_null_of_the_future_clears_nothing(ward: Service) -> None:
    send(ward, *vitals(128))
    answer = send(ward, obx(HEART_RATE, '""', obx_14="20990101000000"))

    assert b"OBX[1]-14: heart_rate: future" in answer
    assert "heart rate 128/min" in card(ward.client, asked())["detail"]


def test_readings_age_as_all_others_do(ward: Service, clock: Clock) -> None:
    send(ward, *vitals())
    clock.moment += timedelta(hours=12)

    assert "heart rate 128/min" not in card(ward.client, asked())["detail"]


@pytest.mark.parametrize("trigger", ["A03", "A11"])
def test_after_the_visit_ended_its_readings_are_not_used(ward: Service, trigger: str) -> None:
    send(ward, *vitals())
    send(ward, msh_9=f"ADT^{trigger}")

    assert NOT_AGREED in card(ward.client, asked())["detail"]


def test_a_cancelled_discharge_opens_the_visit_again(ward: Service) -> None:
    send(ward, *vitals())
    send(ward, msh_9="ADT^A03")
    send(ward, msh_9="ADT^A13")

    assert "heart rate 128/min" in card(ward.client, asked())["detail"]


PRIOR = PID.replace("4711", "0815")


def merge(service: Service, trigger: str, *extra: str) -> bytes:
    number = rows(service, "SELECT count(*) FROM messages")[0][0]
    message = er7(msh(msh_9=f"ADT^{trigger}", msh_10=f"A{number}"), PID, *extra)
    return post_message(service, message).data


def stale(service: Service) -> set[str]:
    return {
        UUID(str(one)).hex
        for (one,) in rows(service, "SELECT prediction_id FROM prediction_events WHERE kind = 'stale'")
    }


def test_a_withdrawal_appends_stale_to_the_predictions_built_on_the_value(ward: Service) -> None:
    send(ward, *vitals(128))
    first = card(ward.client, asked())
    send(ward, obx(HEART_RATE, 128, obx_11="W", obx_14=TIME))

    assert first["uuid"].replace("-", "") in stale(ward)


def test_a_correction_that_comes_before_what_it_corrects_is_what_the_card_shows(ward: Service) -> None:
    send(ward, obx(HEART_RATE, 88, obx_11="C", obx_14=TIME))
    send(ward, *vitals(128))

    assert "heart rate 88/min" in card(ward.client, asked())["detail"]


OVERTAKEN = {
    "correction": [obx(HEART_RATE, 88, obx_11="C", obx_14=TIME)],
    "withdrawal": [obx(HEART_RATE, 128, obx_11="W", obx_14=TIME)],
    "null": [obx(HEART_RATE, '""', obx_14="20260314093000+0100")],
}


@pytest.mark.parametrize("case", OVERTAKEN)
def test_a_prediction_of_a_message_that_comes_after_its_correction_is_stale(ward: Service, case: str) -> None:
    send(ward, *OVERTAKEN[case])
    before = stale(ward)
    send(ward, *vitals(128))

    [(late,)] = rows(ward, "SELECT prediction_id FROM messages WHERE control_id = 'M1'")
    assert stale(ward) - before == {UUID(str(late)).hex}
    [(of,)] = rows(ward, "SELECT m.control_id FROM prediction_events e JOIN messages m ON m.id = e.message_id")
    assert of == "M0"
    assert verify_chain(ward.runtime.engine, ward.runtime.keyring) is None


def test_a_withdrawal_under_one_record_and_its_reading_under_another_meet_in_any_order(ward: Service) -> None:
    def withdrawn(new: str, _: str) -> None:
        send(ward, obx(HEART_RATE, 128, obx_11="W", obx_14=TIME), pid=PID.replace("4711", new))

    def read(_: str, old: str) -> None:
        send(ward, *vitals(128), pid=PID.replace("4711", old), msh_10=old)

    def merge_both(new: str, old: str) -> None:
        merged(ward, new, old)

    orders = list(permutations([withdrawn, read, merge_both]))
    for number, order in enumerate(orders):
        for step in order:
            step(f"NEW{number}", f"OLD{number}")

    predicted = rows(ward, "SELECT prediction_id FROM messages WHERE control_id LIKE 'OLD%'")
    assert len(predicted) == len(orders)
    assert {UUID(str(one)).hex for (one,) in predicted} <= stale(ward)
    events = rows(ward, "SELECT count(*), count(DISTINCT prediction_id) FROM prediction_events")
    assert events[0][0] == events[0][1]


def test_a_merge_leaves_a_prediction_that_answers_an_earlier_correction_as_it_is(ward: Service) -> None:
    send(ward, obx(HEART_RATE, 88, obx_11="C", obx_14=TIME))
    send(ward, *vitals(128, obx_11="C"), pid=PRIOR, msh_10="LAST")

    merged(ward, "4711", "0815")

    [(last,)] = rows(ward, "SELECT prediction_id FROM messages WHERE control_id = 'LAST'")
    assert UUID(str(last)).hex not in stale(ward)


NOT_OVERTAKEN = {
    "of-another-time": ([obx(HEART_RATE, 88, obx_11="C", obx_14=EARLIER)], {}),
    "of-another-sub-id": ([obx(SPO2, 95, "%", obx_11="C", obx_14=TIME)], {"obx_4": "2"}),
    "of-another-sender": ([obx(HEART_RATE, 88, obx_11="C", obx_14=TIME)], {"msh_3": "OTHER"}),
    "corrected-in-its-turn": ([obx(HEART_RATE, 88, obx_11="C", obx_14=TIME)], {"obx_11": "C"}),
}


@pytest.mark.parametrize("case", NOT_OVERTAKEN)
def test_a_correction_of_something_else_leaves_a_later_prediction_as_it_is(ward: Service, case: str) -> None:
    said, changes = NOT_OVERTAKEN[case]
    header = {name: value for name, value in changes.items() if name.startswith("msh")}
    own = {name: value for name, value in changes.items() if name.startswith("obx")}
    send(ward, *said)
    send(ward, *vitals(128, **own), **header)

    assert stale(ward) <= {
        UUID(str(one)).hex for (one,) in rows(ward, "SELECT prediction_id FROM messages WHERE control_id = 'M0'")
    }


def test_a_null_takes_back_what_is_older_and_marks_what_was_built_on_it(ward: Service) -> None:
    send(ward, *vitals(128, obx_14=EARLIER))
    first = card(ward.client, asked())
    send(ward, obx(HEART_RATE, '""', obx_14=TIME))

    shown = card(ward.client, asked())

    assert "heart rate 128/min (" not in shown["detail"]
    assert first["uuid"].replace("-", "") in stale(ward)


def test_a_withdrawal_that_does_not_say_of_when_takes_back_what_was_said_before(ward: Service) -> None:
    """Without OBX-14 and a time of the order it speaks of the statement: order, code and sub-id."""
    undated = OBR.replace(TIME, "")
    send(ward, *vitals(128))
    first = card(ward.client, asked())
    message = er7(
        msh(msh_10="W", msh_7="20260314093000+0100"), PID, PV1, undated, obx(HEART_RATE, "", obx_11="W", obx_14="")
    )
    assert b"|AA|" in post_message(ward, message).data
    withdrawn = card(ward.client, asked())
    send(ward, obx(HEART_RATE, 90, obx_14="20260314093500+0100"))
    later = card(ward.client, asked())

    assert "heart rate 128/min (" not in withdrawn["detail"]
    assert TAKEN_BACK in withdrawn["detail"]
    assert first["uuid"].replace("-", "") in stale(ward)
    assert "heart rate 90/min" in later["detail"]


@pytest.mark.parametrize("encounter", ["finished", "absent"])
def test_without_one_open_encounter_readings_are_left_out_and_the_card_says_so(ward: Service, encounter: str) -> None:
    send(ward, *vitals())
    body = asked()
    entries = body["prefetch"]["encounter"]["entry"]
    if encounter == "finished":
        entries[0]["resource"]["status"] = "finished"
    else:
        entries.clear()

    shown = card(ward.client, body)

    assert NOT_AGREED in shown["detail"]
    assert "128/min" not in shown["detail"]


def test_a_discharge_without_a_visits_number_ends_what_came_before_and_nothing_later(ward: Service) -> None:
    unnumbered = "PV1|1|E|ED^01^1"
    send(ward, *vitals(128), pv1=unnumbered)
    send(ward, msh_9="ADT^A03", pv1=unnumbered)
    ended = card(ward.client, asked())
    send(ward, *vitals(90), pv1=unnumbered)
    again = card(ward.client, asked())

    assert NOT_AGREED in ended["detail"]
    assert "heart rate 90/min" in again["detail"]


def test_a_visit_that_moved_ends_where_it_went(ward: Service) -> None:
    send(ward, *vitals(128), pid=PRIOR)
    merge(ward, "A45", "MRG|0815^^^HOSP^MR||||V1^^^HOSP")
    send(ward, msh_9="ADT^A03")

    assert "128/min (" not in card(ward.client, asked())["detail"]


@pytest.mark.parametrize("trigger", ["A18", "A34", "A40", "A43", "A47"])
def test_after_a_merge_the_readings_of_the_prior_record_count_and_a37_undoes_it(ward: Service, trigger: str) -> None:
    send(ward, *vitals(), pid=PRIOR)
    before = card(ward.client, asked())

    assert b"|AA|" in merge(ward, trigger, "MRG|0815^^^HOSP^MR")
    merged = card(ward.client, asked())
    assert b"|AA|" in merge(ward, "A37", PRIOR)
    parted = card(ward.client, asked())

    found = ["heart rate 128/min" in one["detail"] for one in (before, merged, parted)]
    assert found == [False, True, False]


def test_one_visit_moves_and_no_other(ward: Service) -> None:
    send(ward, *vitals(128), pid=PRIOR)
    send(ward, obx(SPO2, 85, "%", obx_14="20260314092600+0100"), pid=PRIOR, pv1=PV1.replace("V1", "V2"))

    assert b"|AA|" in merge(ward, "A45", "MRG|0815^^^HOSP^MR||||V1^^^HOSP")
    shown = card(ward.client, asked())

    assert "heart rate 128/min" in shown["detail"]
    assert "SpO2 85 %" not in shown["detail"]


def number(service: Service) -> str:
    return f"A{rows(service, 'SELECT count(*) FROM messages')[0][0]}"


def pair(service: Service, trigger: str, first: str, second: str) -> None:
    answer = post_message(service, er7(msh(msh_9=f"ADT^{trigger}", msh_10=number(service)), first, second)).data
    assert b"|AA|" in answer


@pytest.mark.parametrize("order", [(PID, PRIOR), (PRIOR, PID)], ids=["ours-first", "ours-second"])
def test_linked_records_are_one_patients_whichever_comes_first_until_they_are_unlinked(
    ward: Service, order: tuple[str, str]
) -> None:
    send(ward, *vitals(), pid=PRIOR)

    pair(ward, "A24", *order)
    linked = card(ward.client, asked())
    pair(ward, "A37", *order[::-1])
    parted = card(ward.client, asked())

    assert ["heart rate 128/min" in one["detail"] for one in (linked, parted)] == [True, False]
    assert linked["uuid"].replace("-", "") in stale(ward)


def merged(service: Service, target: str, prior: str) -> None:
    message = er7(msh(msh_9="ADT^A40", msh_10=number(service)), PID.replace("4711", target), f"MRG|{prior}^^^HOSP^MR")
    assert b"|AA|" in post_message(service, message).data


@pytest.mark.parametrize("second", [("9999", "0815"), ("0815", "4711")], ids=["into-another", "back"])
def test_a_merge_is_undone_by_a_second_merge_message(ward: Service, second: tuple[str, str]) -> None:
    send(ward, *vitals(), pid=PRIOR)

    merged(ward, "4711", "0815")
    wrong = card(ward.client, asked())
    merged(ward, *second)
    undone = card(ward.client, asked())
    rightful = card(ward.client, asked(identifier=[{"system": SYSTEM, "value": second[0]}]))

    assert ["heart rate 128/min" in one["detail"] for one in (wrong, undone, rightful)] == [True, False, True]
    assert wrong["uuid"].replace("-", "") in stale(ward)


@pytest.mark.parametrize("trigger", ["A44", "A45"])
def test_a_visit_that_moved_and_moved_back_is_where_it_was(ward: Service, trigger: str) -> None:
    send(ward, *vitals(), pid=PRIOR)
    there, back = "MRG|0815^^^HOSP^MR||||V1^^^HOSP", "MRG|4711^^^HOSP^MR||||V1^^^HOSP"

    assert b"|AA|" in merge(ward, trigger, there)
    moved = [card(ward.client, asked(identifier=[{"system": SYSTEM, "value": who}])) for who in ("4711", "0815")]
    answer = post_message(ward, er7(msh(msh_9=f"ADT^{trigger}", msh_10="BACK"), PRIOR, back)).data
    returned = [card(ward.client, asked(identifier=[{"system": SYSTEM, "value": who}])) for who in ("4711", "0815")]

    assert b"|AA|" in answer
    assert ["heart rate 128/min" in one["detail"] for one in moved] == [True, False]
    assert ["heart rate 128/min" in one["detail"] for one in returned] == [False, True]


def test_a_move_without_its_visit_is_refused(ward: Service) -> None:
    answer = merge(ward, "A44", "MRG|0815^^^HOSP^MR||ACC1")

    assert b"|AE|" in answer
    assert b"send A45 with the number of the visit" in answer


def test_readings_of_another_environment_or_tenant_are_nobodys(ward: Service) -> None:
    send(ward, *vitals())
    database = ward.stored

    for change in ("environment = 'production'", "environment = 'test', tenant = 'south'"):
        database.execute(f"UPDATE readings SET {change}")
        shown = card(ward.client, asked())
        assert ("128/min" in shown["detail"], NOT_AGREED in shown["detail"]) == (False, False)
