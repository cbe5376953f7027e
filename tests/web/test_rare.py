"""Rare diseases through every door: hook, FHIR, REST, search; stored, explained and audited like any prediction."""

from __future__ import annotations

import json
import re
from uuid import uuid4

import pytest

from cds_service.fhir.conformance import explain
from cds_service.inference.ranker_service import RareDiseasesLater
from cds_service.monitoring.metrics import RARE_NOT_USED
from tests.conftest import REPOSITORY
from tests.fhir.test_rare_findings import HPO, a_condition
from tests.web.calls import bundle, faults, is_json_failure, patient, post

PATH, PATIENT = "/cds-services/rare-disease", "1288992"
MARFANOID = ("HP:0000098", "HP:0001166", "HP:0001083", "HP:0002616")


@pytest.fixture
def ready(service):
    """The service once its knowledge base is there."""
    assert service.runtime.beside.rare.wait(30)
    return service


def conditions(*terms, excluded=()):
    subject = {"subject": {"reference": f"Patient/{PATIENT}"}}
    listed = [a_condition(term, id=f"c{n}", **subject) for n, term in enumerate(terms)]
    refuted = {"verificationStatus": {"coding": [{"code": "refuted"}]}}
    return listed + [a_condition(term, id=f"x{n}", **subject, **refuted) for n, term in enumerate(excluded)]


def a_call(*terms, excluded=(), **prefetch):
    return {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "context": {"userId": "Practitioner/1", "patientId": PATIENT},
        "prefetch": {"patient": patient(), "conditions": bundle(*conditions(*terms, excluded=excluded)), **prefetch},
    }


def the_card(service, body, **headers):
    response = post(service.client, body, PATH, **headers)
    assert response.status_code == 200, response.text
    document = json.loads(response.data)
    assert faults(document) == []
    [card] = document["cards"]
    return card


def test_the_card_names_candidates_with_reasons_and_no_percentage(ready):
    card = the_card(ready, a_call(*MARFANOID, excluded=["HP:0001250"]))

    assert card["indicator"] == "info"
    assert card["summary"].startswith("Rare diseases to consider (not a diagnosis): 5, from 4 findings")
    assert "**Marfan syndrome** (OMIM:154700, ORPHA:558)" in card["detail"]
    for part in (
        "For: ",
        "Expected, not recorded: ",
        "To look for next",
        "Most patients have none",
        "HPO 2025-01-16, OMIM, Orphanet",
    ):
        assert part in card["detail"]
    assert "%" not in card["detail"] + card["summary"]
    assert 3 <= len(re.findall(r"^\d\. ", card["detail"], re.MULTILINE)) <= 5
    assert card["overrideReasons"]


def test_the_card_speaks_spanish(ready):
    card = the_card(ready, a_call(*MARFANOID), Accept_Language="es")

    assert card["summary"].startswith("Enfermedades raras a considerar (no es un diagnóstico)")
    assert "Qué buscar a continuación" in card["detail"]


@pytest.mark.parametrize("terms", [(), MARFANOID[:1], MARFANOID[:2]])
def test_too_few_findings_are_said_never_silence(ready, terms):
    card = the_card(ready, a_call(*terms))

    assert card["indicator"] == "info"
    assert f"not enough findings ({len(terms)} of at least 3)" in card["summary"]
    assert "1. **" not in card["detail"]


def test_codes_without_a_meaning_are_counted_on_the_card_and_cannot_format_it(ready):
    strange = a_condition(
        "](http://evil.example)<b>", "http://example.org", subject={"reference": f"Patient/{PATIENT}"}
    )
    body = a_call(conditions=bundle(*conditions(*MARFANOID), strange))

    card = the_card(ready, body)

    assert "Not used" in card["detail"]
    assert "1 codes or names" in card["detail"]
    assert "<b>" not in card["detail"]
    assert "`](http" in card["detail"]


def test_vital_signs_alone_never_give_a_list(ready):
    fever = {
        "resourceType": "Observation",
        "status": "final",
        "subject": {"reference": f"Patient/{PATIENT}"},
        "effectiveDateTime": "2026-03-14T09:30:00+01:00",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8310-5"}]},
        "valueQuantity": {"value": 39.4, "system": "http://unitsofmeasure.org", "code": "Cel"},
    }

    card = the_card(ready, a_call(observations=bundle(fever)))

    assert "not enough findings (0 of at least 3)" in card["summary"]


def test_a_repeated_call_gets_the_stored_reply_and_makes_no_second_row(ready):
    body = a_call(*MARFANOID)

    assert post(ready.client, body, PATH).data == post(ready.client, body, PATH).data


def test_a_stored_ranking_is_read_explained_and_written_as_fhir(ready):
    card = the_card(ready, a_call(*MARFANOID))

    read = ready.client.get(f"/predictions/{card['uuid']}").get_json()
    reasons = ready.client.get(f"/predictions/{card['uuid']}/explain").get_json()
    resource = ready.client.get(f"/fhir/RiskAssessment/{card['uuid']}")

    assert read["ranked"][0]["id"] == "OMIM:154700"
    assert reasons["ranked"] == read["ranked"]
    assert resource.get_json()["subject"] == {"reference": f"Patient/{PATIENT}"}
    assert explain(resource.data) == []


def test_a_bundle_is_answered_with_valid_fhir(ready):
    body = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient()}]}
    body["entry"] += [{"resource": one} for one in conditions(*MARFANOID)]

    response = post(ready.client, body, "/fhir/$rare-disease")

    assert response.status_code == 200
    assessment, guidance = [entry["resource"] for entry in response.get_json()["entry"]]
    assert explain(response.data) == []
    assert assessment["prediction"][0]["outcome"]["coding"][0]["code"] == "154700"
    assert "probabilityDecimal" not in assessment["prediction"][0]
    assert guidance["status"] == "data-requested"
    assert guidance["dataRequirement"][0]["codeFilter"][0]["code"][0]["system"] == HPO


def test_the_form_takes_ids_names_and_tokens_and_reports_the_rest(ready):
    record = {
        "observed": ["HP:0000098", "Arachnodactyly", "ectopia lentis", "http://snomed.info/sct|204962002", "no such"],
        "excluded": ["HP:9999999"],
        "age_years": 20,
        "sex": "male",
        "limit": 3,
    }

    answer = post(ready.client, record, "/rare-diseases").get_json()

    assert [one["rank"] for one in answer["ranked"]] == [1, 2, 3]
    assert answer["n_findings"] == 4
    assert [(one["code"], one["reason"]) for one in answer["not_used"]] == [
        ("no such", "unknown-name"),
        ("HP:9999999", "unknown-code"),
    ]
    assert ready.client.get(f"/predictions/{answer['id']}").get_json() == answer


def test_the_query_is_the_same_form(ready):
    query = f"/rare-diseases?observed={','.join(MARFANOID)}&limit=2"

    ranked = ready.client.get(query).get_json()["ranked"]

    posted = post(ready.client, {"observed": list(MARFANOID), "limit": 2}, "/rare-diseases").get_json()["ranked"]
    assert ranked == posted


@pytest.mark.parametrize(
    ("record", "status", "where"),
    [
        ({"observed": ["HP:12"]}, 400, "observed[0]"),
        ({"observed": ["HP:0001166", 7]}, 400, "observed[1]"),
        ({"observed": {"a": 1}}, 400, "observed"),
        ({"observed": ["x" * 201]}, 400, "observed[0]"),
        ({"observed": ["HP:0001166"] * 2001}, 413, "observed"),
        ({"observed": [], "age_years": -1}, 400, "age_years"),
        ({"observed": [], "age_years": "old"}, 400, "age_years"),
        ({"observed": [], "age_years": True}, 400, "age_years"),
        ({"observed": [], "sex": "x"}, 400, "sex"),
        ({"observed": [], "limit": 0}, 400, "limit"),
        ({"observed": [], "limit": 1.5}, 400, "limit"),
        ({"observed": [], "limit": 51}, 400, "limit"),
        ({"symptoms": []}, 400, "symptoms"),
    ],
)
def test_what_cannot_be_ranked_is_refused_at_its_place(ready, record, status, where):
    response = post(ready.client, record, "/rare-diseases")

    assert response.status_code == status
    assert is_json_failure(response)
    assert response.get_json()["where"] == where


def test_a_hundred_thousand_codes_are_refused(ready):
    response = post(ready.client, {"observed": ["HP:0001166"] * 100_000}, "/rare-diseases")

    assert response.status_code == 413
    assert is_json_failure(response)


def test_a_thousand_findings_in_a_request_are_ranked(ready):
    ontology = ready.runtime.beside.rare.get().codes.ontology
    terms = [ontology.ids[row] for row in range(len(ontology)) if ontology.is_finding[row]][2000:3000]

    response = post(ready.client, {"observed": terms, "limit": 1}, "/rare-diseases")

    assert response.status_code == 200
    assert response.get_json()["n_findings"] == 1000


def test_findings_are_searched_by_anyone(ready):
    hits = ready.client.get("/rare-diseases/findings?q=lens+disloc&limit=1").get_json()

    assert hits["findings"] == [{"term": "HP:0001083", "name": "Ectopia lentis", "matched": "Lens dislocation"}]
    assert ready.client.get("/rare-diseases/findings").get_json()["findings"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=9999999999", "limit=²", f"q={'x' * 201}"])
def test_a_search_that_makes_no_sense_is_refused(ready, query):
    assert ready.client.get(f"/rare-diseases/findings?{query}").status_code == 400


def test_the_card_of_the_knowledge_base_is_open(ready):
    response = ready.client.get("/models/rare/1.0.0/card")

    assert response.status_code == 200
    assert "Orphanet" in response.text
    assert ready.client.get("/models/rare/9.9.9/card").status_code == 404


def test_while_the_knowledge_base_loads_only_this_service_says_503(service, monkeypatch):
    service.runtime.beside.rare.wait(30)
    monkeypatch.setattr(
        service.runtime.beside, "rare", RareDiseasesLater(REPOSITORY / "models", failed=lambda text: None)
    )

    for response in (
        post(service.client, a_call(*MARFANOID), PATH),
        post(service.client, {"observed": list(MARFANOID)}, "/rare-diseases"),
        service.client.get("/rare-diseases/findings?q=x"),
    ):
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert is_json_failure(response)
    assert service.client.get("/readyz").status_code == 200
    assert service.client.get("/predict?heart_rate=80&age=50").status_code == 200


def test_conditions_not_sent_are_asked_for(ready):
    body = a_call(*MARFANOID)
    del body["prefetch"]["conditions"]

    response = post(ready.client, body, PATH)

    assert response.status_code == 412
    assert "prefetch.conditions" in response.text


def test_what_could_not_be_used_is_counted_by_reason(ready):
    before = counted("unknown-code"), counted("unknown-name")

    post(ready.client, {"observed": ["HP:9999999", "HP:9999998", "no such"]}, "/rare-diseases")

    assert (counted("unknown-code"), counted("unknown-name")) == (before[0] + 2, before[1] + 1)


def counted(reason):
    return RARE_NOT_USED.labels(reason)._value.get()
