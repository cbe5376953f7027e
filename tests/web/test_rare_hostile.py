"""What nobody means by a patient's findings is refused in plain words at every door for rare diseases, or left out."""

from __future__ import annotations

from uuid import uuid4

import pytest

from cds_service.fhir.conformance import explain
from tests.fhir.test_rare_findings import HPO, a_condition, an_observation
from tests.web.calls import bundle, is_json_failure, patient, post

PATIENT = "1288992"
HOOK, FHIR, REST = "/cds-services/rare-disease", "/fhir/$rare-disease", "/rare-diseases"
OF_THE_PATIENT = {"subject": {"reference": f"Patient/{PATIENT}"}}
# What is no code at all, or one of no meaning; a name that no finding has.
NONSENSE = {
    "short": "HPO:1",
    "fullwidth digit": "Hp 000116６",
    "path": "../../etc/passwd",
    "sql": "'; DROP TABLE predictions; --",
    "template": "{{7*7}}",
    "formula": "=cmd|' /C calc'!A0",
    "markup": "<script>alert(1)</script>](http://evil.example)",
    "right to left": "\u202eHP:0001166",
    "emoji": "\U0001f4a3",
    "unknown id": "HP:9999999",
}


@pytest.fixture
def ready(service):
    """The service once its knowledge base is there."""
    assert service.runtime.beside.rare.wait(30)
    return service


def conditions(*terms, system=HPO):
    return [a_condition(term, system, id=f"c{number}", **OF_THE_PATIENT) for number, term in enumerate(terms)]


def by_hook(service, *resources):
    body = {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "context": {"userId": "Practitioner/1", "patientId": PATIENT},
        "prefetch": {"patient": patient(), "conditions": bundle(*resources)},
    }
    return post(service.client, body, HOOK)


def by_fhir(service, *resources):
    entries = [{"resource": one} for one in (patient(), *resources)]
    return post(service.client, {"resourceType": "Bundle", "type": "collection", "entry": entries}, FHIR)


def by_rest(service, *resources):
    codes = [f"{one['code']['coding'][0]['system']}|{one['code']['coding'][0]['code']}" for one in resources]
    return post(service.client, {"observed": codes}, REST)


def by_query(service, *resources):
    codes = ",".join(one["code"]["coding"][0]["code"] for one in resources)
    return service.client.get(REST, query_string={"observed": codes})


DOORS = {"hook": by_hook, "fhir": by_fhir, "rest": by_rest, "query": by_query}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("number", [2001, 100_000])
def test_more_codes_than_anyone_has_are_refused(ready, door, number):
    response = DOORS[door](ready, *conditions(*(f"HP:{n:07d}" for n in range(number))))

    assert response.status_code == 413
    assert is_json_failure(response)


@pytest.mark.parametrize("door", ["hook", "fhir"])
def test_thousands_of_codes_inside_one_resource_are_refused(ready, door):
    component = [{"code": {"coding": [{"system": HPO, "code": f"HP:{n:07d}"}]}} for n in range(4000)]

    response = DOORS[door](ready, an_observation("x", component=component, **OF_THE_PATIENT))

    assert response.status_code == 413
    assert is_json_failure(response)


@pytest.mark.parametrize("door", ["hook", "fhir"])
def test_thousands_of_codings_of_one_condition_are_one_finding_at_most(ready, door):
    coding = [{"system": HPO, "code": f"HP:{n:07d}"} for n in range(9_000_000, 9_005_000)]

    response = DOORS[door](ready, a_condition(code={"coding": coding}, **OF_THE_PATIENT))

    assert response.status_code == 200
    assert "1 codes or names: " in response.text
    assert len(response.data) < 10_000


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_counted_named_and_nothing_else(ready, door, nonsense):
    usual = DOORS[door](ready, *conditions("HP:0000098", "HP:0001166", "HP:0001083"))

    response = DOORS[door](ready, *conditions("HP:0000098", "HP:0001166", "HP:0001083", nonsense))

    assert response.status_code == usual.status_code == 200
    said, before = response.get_json(), usual.get_json()
    if door in ("rest", "query"):
        assert [one["reason"] for one in said["not_used"]] in (["unknown-code"], ["unknown-name"])
        assert said["ranked"] == before["ranked"]
    else:
        assert "1 codes or names: " in response.text
    if door == "hook":
        detail = said["cards"][0]["detail"]
        assert "<script" not in detail
        assert "\u202e" not in detail
        assert detail.startswith(before["cards"][0]["detail"].split("**To look for next")[0])
    if door == "fhir":
        assert explain(response.data) == []


@pytest.mark.parametrize("door", ["hook", "fhir", "rest"])
def test_a_code_with_a_character_no_database_takes_is_refused_at_its_place(ready, door):
    response = DOORS[door](ready, *conditions("HP:0001166\u0000"))

    assert response.status_code == 400
    assert "U+0000" in response.text


@pytest.mark.parametrize("door", DOORS)
def test_an_endless_code_is_refused_or_cut(ready, door):
    response = DOORS[door](ready, *conditions("x" * 5000))

    assert response.status_code in (200, 400)
    assert "x" * 201 not in response.text


@pytest.mark.parametrize("query", ["q=" + "x" * 201, "q=%00&limit=", "limit=-1", "q=x&limit=1e9", "q=x&limit=51"])
def test_a_hostile_search_is_refused_with_the_name_of_its_part(ready, query):
    response = ready.client.get(f"{REST}/findings?{query}")

    assert response.status_code == 400
    assert is_json_failure(response)
    assert response.get_json()["where"] in ("q", "limit")


@pytest.mark.parametrize("text", [*NONSENSE.values(), " ".join("abcdefgh"), "%" * 200, "a" * 200])
def test_a_search_for_nonsense_finds_few_or_nothing(ready, text):
    response = ready.client.get(f"{REST}/findings", query_string={"q": text})

    assert response.status_code == 200
    assert len(response.get_json()["findings"]) <= 10
