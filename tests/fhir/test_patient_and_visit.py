from __future__ import annotations

from datetime import date

import pytest

from cds_service.domain.codes import ICD10CM
from cds_service.domain.patient import NotUsed
from cds_service.domain.policy import ReadingPolicy
from cds_service.domain.vital_codes import LOINC, SNOMED
from cds_service.fhir.reader import read_resources, snapshot_from_resources
from tests.fhir.builders import (
    AT,
    TABLES,
    UCUM,
    ago,
    bundle,
    component,
    concept,
    condition,
    encounter,
    heart_rate,
    observation,
    patient,
    quantity,
    read,
    read_parts,
    text,
)

ARRIVAL = "http://hl7.org/fhir/StructureDefinition/encounter-modeOfArrival"
ARRIVAL_CODES = "http://terminology.hl7.org/CodeSystem/v2-0430"


@pytest.mark.parametrize(
    ("birth_date", "years", "remark"),
    [
        pytest.param("1954-11-02", 71, None, id="whole date"),
        pytest.param("2010-03-14", 16, None, id="sixteenth birthday"),
        pytest.param("2010-03-15", 15, None, id="day before it"),
        pytest.param("2008-02-29", 18, None, id="born on a leap day"),
        pytest.param("1954", 71, "birth-date-partial", id="year only"),
        pytest.param("1954-11", 71, "birth-date-partial", id="month only"),
        pytest.param("2010", None, "age-uncertain", id="year around sixteen"),
        pytest.param("2008-03", None, "age-uncertain", id="month around eighteen"),
        pytest.param("2009", 16, "birth-date-partial", id="year between sixteen and eighteen"),
        pytest.param("2027-01-01", None, "birth-date-in-future", id="not born"),
        pytest.param("1800-01-01", None, "birth-date-implausible", id="226 years"),
        pytest.param("1954-13-01", None, "birth-date-unreadable", id="thirteenth month"),
        pytest.param("1954-11-02T00:00:00Z", None, "birth-date-unreadable", id="date with a time"),
        pytest.param(None, None, "birth-date-missing", id="no birth date"),
    ],
)
def test_age_from_a_birth_date(birth_date: str | None, years: int | None, remark: str | None) -> None:
    snapshot = read(patient(birthDate=birth_date))

    assert (None if snapshot.age_years is None else int(snapshot.age_years)) == years
    assert snapshot.remarks == (() if remark is None else (remark,))


def test_whole_birth_date_is_part_of_the_identity() -> None:
    names = [{"family": "Alias"}, {"use": "official", "given": ["Ana", "María"], "family": "Pérez"}]
    sent = patient(name=names, identifier=[{"system": "urn:oid:1.2", "value": "77"}, {"system": "urn:x"}])

    identity = read(sent).identity

    assert (identity.name, identity.birth_date) == ("Ana María Pérez", date(1954, 11, 2))
    assert identity.identifiers == (("urn:oid:1.2", "77"),)


@pytest.mark.parametrize(("gender", "sex"), [("male", "male"), ("female", "female"), ("other", None), (None, None)])
def test_sex_is_male_female_or_unknown(gender: str | None, sex: str | None) -> None:
    assert read(patient(gender=gender)).sex == sex


def test_r5_encounter_is_read_like_r4() -> None:
    act = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    reason = [{"value": [{"concept": concept((ICD10CM, "R06.02"))}]}]
    r5 = encounter(**{"class": [concept((act, "EMER"))], "reason": reason})

    snapshot = read(r5)

    assert (snapshot.encounter_class, snapshot.complaint_group) == ("EMER", "shortness-of-breath")


def test_reason_gives_the_complaint_group() -> None:
    coded = read(encounter(reasonCode=[concept(("urn:local", "X")), concept((ICD10CM, "R06.02"))]))
    spoken = read(encounter(reasonCode=[{"text": "Dolor torácico desde ayer"}]))

    assert (coded.complaint_group, spoken.complaint_group) == ("shortness-of-breath", "chest-pain")


@pytest.mark.parametrize(
    ("code", "expected"), [("A", True), ("H", True), ("C", False), ("F", False), ("P", False), ("U", None)]
)
def test_way_of_arrival(code: str, expected: bool | None) -> None:
    extension = [{"url": "urn:other"}, {"url": ARRIVAL, "valueCoding": {"system": ARRIVAL_CODES, "code": code}}]

    assert read(encounter(extension=extension)).arrived_by_ambulance is expected


def ended(clock: str, **members: object) -> dict[str, object]:
    """A visit that ended today at this time UTC; the tests are at 07:40."""
    return encounter(**{"status": "finished", "period": {"end": f"2026-03-14T{clock}:00Z"}, **members})


@pytest.mark.parametrize(
    ("visits", "encounter_id", "found", "remark"),
    [
        pytest.param([encounter(), encounter(id="e2", status="finished")], None, "EMER", None, id="the one under way"),
        pytest.param([encounter(), encounter(id="e2")], None, None, "several-encounters", id="two under way"),
        pytest.param([encounter(), encounter(id="e2")], "e2", "EMER", None, id="the one named"),
        pytest.param([encounter(status="finished")], "e1", None, "no-encounter-under-way", id="named and over"),
        pytest.param([ended("03:41")], "e1", "EMER", None, id="named and over for less than four hours"),
        pytest.param([ended("03:39")], "e1", None, "no-encounter-under-way", id="named and over for longer"),
        pytest.param(
            [ended("03:39", status="in-progress")], "e1", None, "no-encounter-under-way", id="over by its period"
        ),
        pytest.param([encounter(period="today")], "e1", None, "encounter-unreadable", id="period of wrong type"),
        pytest.param([encounter(status="finished")], None, None, "no-encounter-under-way", id="over and not named"),
        pytest.param(
            [ended("03:39", status="in-progress")], None, None, "no-encounter-under-way", id="never closed, not named"
        ),
        pytest.param(
            [encounter(), ended("03:39", id="e2", status="in-progress")],
            None,
            "EMER",
            None,
            id="beside one never closed",
        ),
        pytest.param([encounter()], "e9", None, "encounter-not-found", id="named and not sent"),
        pytest.param([encounter(status="cancelled")], "e1", None, "encounter-withdrawn", id="cancelled"),
        pytest.param([encounter(status="planned")], "e1", None, "no-encounter-under-way", id="named and only planned"),
        pytest.param(
            [encounter(**{"class": {"code": "Ward 7"}})], None, None, "encounter-class-unknown", id="local class"
        ),
        pytest.param([encounter(**{"class": "EMER"})], None, None, "encounter-unreadable", id="class of wrong type"),
        pytest.param([encounter(subject={"reference": "Patient/p2"})], None, None, None, id="another patient's"),
    ],
)
def test_which_visit_is_meant(
    visits: list[dict[str, object]], encounter_id: str | None, found: str | None, remark: str | None
) -> None:
    snapshot = read(*visits, encounter_id=encounter_id)

    assert snapshot.encounter_class == found
    assert remark is None or remark in snapshot.remarks


def test_conditions_are_counted_by_category() -> None:
    snapshot = read(condition("E11.9"), condition("44054006", system=SNOMED), condition("I10"), condition("J18.9"))

    assert snapshot.chronic_count == 2
    assert [c.chronic for c in snapshot.conditions or ()] == [True, True, True, False]


@pytest.mark.parametrize(
    ("sent", "remark"),
    [
        (condition("E11.9", clinical="resolved"), "condition-not-active"),
        (condition("E11.9", clinical="inactive"), "condition-not-active"),
        (condition("E11.9", verified="refuted"), "condition-refuted-or-in-error"),
        (condition("E11.9", verified="entered-in-error"), "condition-refuted-or-in-error"),
        (condition("E11.9", verified="differential"), "condition-not-confirmed"),
        (condition("E11.9") | {"clinicalStatus": None, "abatementDateTime": "2020"}, "condition-not-active"),
        (condition("E11.9") | {"code": {"text": "sugar"}}, "condition-without-code"),
        (condition("E11.9") | {"code": "E11.9"}, "condition-unreadable"),
        (condition("E11.9", verified="differential") | {"code": "E11.9"}, "condition-unreadable"),
        (condition("E11.9") | {"clinicalStatus": "active"}, "condition-unreadable"),
    ],
)
def test_condition_that_is_no_present_diagnosis(sent: dict[str, object], remark: str) -> None:
    snapshot = read(sent)

    assert (snapshot.conditions, snapshot.chronic_count, snapshot.remarks) == ((), 0, (remark,))


def test_another_patients_condition_is_left_out() -> None:
    snapshot = read(condition("E11.9") | {"subject": {"reference": "Patient/p2"}})

    assert (snapshot.conditions, snapshot.remarks) == (None, ("condition-of-other-patient",))


def test_no_list_of_conditions_differs_from_an_empty_one() -> None:
    link = [{"relation": "self", "url": "https://ehr.example.org/fhir/Condition?patient=p1"}]

    none_read = read()
    none_there = read_parts(text(patient()), text(bundle(link=link)))

    assert (none_read.conditions, none_read.chronic_count) == (None, None)
    assert (none_there.conditions, none_there.chronic_count) == ((), 0)


def test_metastases_are_a_palliative_record() -> None:
    (found,) = read(condition("C78.7")).conditions or ()

    assert found.palliative


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(condition("Z34.02"), True, id="supervision of pregnancy"),
        pytest.param(condition("Z3A.20"), True, id="weeks of gestation"),
        pytest.param(
            condition("E11.9") | {"code": concept((ICD10CM, "E11.9"), (ICD10CM, "O24.4"))}, True, id="second coding"
        ),
        pytest.param(condition("O14.1"), True, id="pre-eclampsia"),
        pytest.param(condition("77386006", system=SNOMED), True, id="pregnant, SNOMED CT"),
        pytest.param(condition("O80") | {"recordedDate": "2021-05-01"}, None, id="birth years ago"),
        pytest.param(condition("Z34.02", verified="refuted"), None, id="refuted"),
        pytest.param(condition("I10"), None, id="nothing recorded"),
    ],
)
def test_pregnancy_from_conditions(sent: dict[str, object], expected: bool | None) -> None:
    assert read(sent).pregnant is expected


def _status(code: str, at: str, system: str = SNOMED, **members: object) -> dict[str, object]:
    return observation((LOINC, "82810-3"), at=at, valueCodeableConcept=concept((system, code)), **members)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param([_status("77386006", ago(days=60))], True, id="pregnant"),
        pytest.param([_status("LA15173-0", ago(days=60), LOINC)], True, id="pregnant, LOINC answer"),
        pytest.param([_status("60001007", ago(days=2))], False, id="not pregnant"),
        pytest.param([_status("60001007", ago(days=60))], None, id="not pregnant, two months ago"),
        pytest.param([_status("77386006", ago(days=400))], None, id="pregnant last year"),
        pytest.param([_status("77386006", ago(days=60)), _status("60001007", ago(days=2))], False, id="no longer"),
        pytest.param([_status("77386006", ago(days=2), status="entered-in-error")], None, id="in error"),
        pytest.param([_status("60001007", ago(days=2)), condition("Z34.02")], True, id="records disagree"),
    ],
)
def test_pregnancy_status_observation(sent: list[dict[str, object]], expected: bool | None) -> None:
    assert read(*sent).pregnant is expected


def _news2(scale_code: str, **members: object) -> dict[str, object]:
    part = {"code": concept((SNOMED, scale_code)), "valueQuantity": component("x", 0, "{score}")["valueQuantity"]}
    return observation(
        (SNOMED, "1104051000000101"), **{"component": [part], "performer": [{"display": "Dr R"}]} | members
    )


@pytest.mark.parametrize(
    ("sent", "scale", "remark"),
    [
        pytest.param([], 1, None, id="nothing recorded"),
        pytest.param([condition("J44.9")], 1, None, id="COPD is no decision"),
        pytest.param([_news2("1104321000000108")], 2, None, id="recorded, dated, attributed"),
        pytest.param([_news2("1104311000000102")], 1, None, id="scale 1 recorded"),
        pytest.param([_news2("1104321000000108", performer=None)], 1, "spo2-scale-record-unattributed", id="by nobody"),
        pytest.param(
            [_news2("1104321000000108", effectiveDateTime=ago(days=2))], 1, "spo2-scale-record-not-current", id="old"
        ),
        pytest.param(
            [_news2("1104321000000108"), _news2("1104311000000102")], 1, "spo2-scale-records-disagree", id="both"
        ),
        pytest.param([_news2("1104321000000108", status="entered-in-error")], 1, None, id="in error"),
        pytest.param([_news2("1104321000000108", component=None)], 1, None, id="total without its parts"),
    ],
)
def test_scale_two_only_by_a_recorded_decision(sent: list[dict[str, object]], scale: int, remark: str | None) -> None:
    snapshot = read(*sent)

    assert snapshot.spo2_scale == scale
    assert remark is None or remark in snapshot.remarks


def test_scale_code_with_another_label_is_not_a_decision() -> None:
    sent = _news2("1104321000000108")
    sent["component"][0]["code"] = concept(
        (SNOMED, "1104321000000108"), display="NEWS2 - systolic blood pressure score"
    )

    assert read(sent).spo2_scale == 1


@pytest.mark.parametrize(
    ("members", "is_said"),
    [
        ({"deceasedBoolean": True}, True),
        ({"deceasedDateTime": "2026-03-01"}, True),
        ({"deceasedBoolean": False}, False),
        ({"deceasedDateTime": None}, False),
        ({}, False),
    ],
)
def test_a_death_on_record_is_said(members: dict[str, object], is_said: bool) -> None:
    assert ("patient-deceased" in read(patient(**members)).remarks) is is_said


OURS, THEIRS = "https://a.example/fhir", "https://b.example/fhir"


@pytest.mark.parametrize(
    ("said", "named", "is_used"),
    [
        pytest.param(OURS, f"{OURS}/Patient/p1", True, id="of the caller's server"),
        pytest.param(f"{OURS}/", f"{OURS}/Patient/p1/_history/2", True, id="a version, and a slash at the end"),
        pytest.param(OURS, "Patient/p1", True, id="relative"),
        pytest.param(OURS, f"{THEIRS}/Patient/p1", False, id="of another server"),
        pytest.param(OURS, f"{OURS}/tenant/Patient/p1", False, id="of another tenant there"),
        pytest.param(None, f"{THEIRS}/Patient/p1", True, id="no server said, the only one named"),
    ],
)
def test_an_absolute_subject_is_held_to_the_callers_server(said: str | None, named: str, is_used: bool) -> None:
    parts = [text(patient()), text(heart_rate(subject={"reference": named}))]

    snapshot = snapshot_from_resources(
        read_resources(parts, server=said), patient_id="p1", at=AT, policy=ReadingPolicy(), tables=TABLES
    )

    assert bool(snapshot.readings) is is_used
    assert [unused.reason for unused in snapshot.not_used] == ([] if is_used else [NotUsed.OTHER_PATIENT])


def test_one_id_on_two_servers_is_not_one_patient() -> None:
    here = heart_rate(70, subject={"reference": "https://a.example/fhir/Patient/p1"}, id="o1")
    elsewhere = {"reference": "https://b.example/fhir/Patient/p1"}
    there = observation((LOINC, "9279-1"), valueQuantity=quantity(16, "/min"), subject=elsewhere, id="o2")

    snapshot = read(patient(), here, there)

    assert list(snapshot.readings) == ["heart_rate"]
    assert [unused.reason for unused in snapshot.not_used] == [NotUsed.OTHER_PATIENT]


@pytest.mark.parametrize(
    ("members", "is_used"),
    [
        ({"value": 40, "unit": "degF", "code": "Cel"}, False),
        ({"value": 104, "unit": "Cel", "code": "[degF]"}, False),
        ({"value": 37, "unit": "°C", "code": "Cel"}, True),
        ({"value": 37, "unit": "degrees by mouth", "code": "Cel"}, True),
        ({"value": 37, "code": "Cel"}, True),
        ({"value": 100, "unit": "degF", "code": "Cel", "system": None}, False),
        ({"value": 37, "unit": "°C", "code": "CEL-1", "system": "urn:local"}, True),
        ({"value": 37, "unit": "Cel", "code": "[degF]", "system": "urn:local"}, False),
    ],
)
def test_a_unit_that_says_other_than_its_code_is_a_conflict(members: dict[str, object], is_used: bool) -> None:
    sent = {name: value for name, value in {"system": UCUM, **members}.items() if value}

    snapshot = read(patient(), observation((LOINC, "8310-5"), valueQuantity=sent))

    assert ("temperature" in snapshot.readings) is is_used
    assert [unused.reason for unused in snapshot.not_used] == ([] if is_used else [NotUsed.CODE_CONFLICT])


PREGNANCIES = [
    pytest.param({"code": concept((SNOMED, "72892002"))}, True, None, id="a closer code"),
    pytest.param(
        {"code": concept((SNOMED, "77386006")), "recordedDate": "2024-01-01"}, None, "pregnancy-record-old", id="old"
    ),
    pytest.param({"code": {"text": "Embarazo de 20 semanas"}}, None, "pregnancy-in-words", id="in words"),
    pytest.param(
        {"code": concept((SNOMED, "72892002"), text="Normal pregnancy")}, True, None, id="in code and words, said once"
    ),
    pytest.param(
        {"code": concept(("urn:local", "77"), display="Pregnancy, 20 weeks")},
        None,
        "pregnancy-in-words",
        id="local code",
    ),
]


@pytest.mark.parametrize(
    ("words", "asks"),
    [
        ("Embarazo de 20 semanas", True),
        ("Embarazo sin complicaciones", True),
        ("Pregnant, no complications", True),
        ("Gestational diabetes", True),
        ("Diabetes gestacional", True),
        ("Pregnancy test positive", True),
        ("Prueba de embarazo positiva", True),
        ("Gestación, antecedente de cesárea", True),
        ("History of asthma, pregnant", True),
        ("Pregnancy test", False),
        ("Prueba de embarazo negativa", False),
        ("No embarazada", False),
        ("Not currently pregnant", False),
        ("Non-pregnant", False),
        ("History of pregnancy", False),
        ("Personal history of other complications of pregnancy", False),
        ("Antecedente de embarazo ectópico", False),
        ("Embarazo previo", False),
        ("Pregnancy ruled out", False),
        ("Myasthenia gravis", False),
        ("", False),
    ],
)
def test_words_ask_about_a_pregnancy_unless_they_deny_it_or_say_it_is_past(words: str, asks: bool) -> None:
    assert ("pregnancy-in-words" in read(condition("I10") | {"code": {"text": words}}).remarks) is asks


@pytest.mark.parametrize(("members", "pregnant", "remark"), PREGNANCIES)
def test_a_pregnancy_is_heard_or_asked_for(
    members: dict[str, object], pregnant: bool | None, remark: str | None
) -> None:
    snapshot = read(patient(gender="female"), {**condition("I10"), **members})

    assert snapshot.pregnant is pregnant
    assert {said for said in snapshot.remarks if said.startswith("pregnancy")} == ({remark} if remark else set())


def test_a_suspected_pregnancy_is_asked_about_and_a_refuted_or_past_one_is_not() -> None:
    words = {"code": {"text": "Pregnancy"}}

    assert "pregnancy-in-words" in read(condition("I10", verified="provisional") | words).remarks
    assert "pregnancy-in-words" not in read(condition("I10", verified="refuted") | words).remarks
    assert "pregnancy-in-words" not in read(condition("I10", clinical="resolved") | words).remarks
