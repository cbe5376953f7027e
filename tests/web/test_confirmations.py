"""A rare diagnosis from its label to the next ranking: confirmed by a second clinician, taken back, held back."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.domain.codes import ICD10CM
from cds_service.domain.label import OMIM, ORPHA
from cds_service.fhir.conformance import explain
from tests.conftest import Clock, Service, cds_in
from tests.web.calls import Json, is_json_failure, patient, post
from tests.web.feedback_calls import accepted, acting, overridden, report, stored
from tests.web.test_diagnoses import condition, take
from tests.web.test_rare import a_call, conditions, the_card

MARFANOID = ["HP:0000098", "HP:0001166", "HP:0001083", "HP:0002616"]
STRANGE = ["HP:0001250", "HP:0000365", "HP:0001513", "HP:0000545", "HP:0001166"]
UNKNOWN = {"system": OMIM, "code": "999999"}


@pytest.fixture
def ready(service: Service) -> Service:
    """The service once its knowledge base is there."""
    assert service.runtime.beside.rare.wait(30)
    return service


def person(service: Service, name: str, role: str = "clinician", **changes: str) -> FlaskClient:
    return acting(service, name=name, kind="user", role=role, **{"tenant": "north", **changes})


def ranked(service: Service, observed: list[str] = MARFANOID, **changes: str) -> Json:
    answer: Json = post(person(service, "ada", **changes), {"observed": observed}, "/rare-diseases").get_json()
    return answer


def scores(answer: Json) -> list[tuple[str, float]]:
    return [(one["id"], one["score"]) for one in answer["ranked"]]


def labelled(service: Service, prediction: str, who: str = "ada", **diagnosis: str) -> str:
    named = diagnosis or UNKNOWN
    answer = post(person(service, who), {"diagnosis": named}, f"/predictions/{prediction}/labels")
    assert answer.status_code == 200, answer.text
    return str(answer.get_json()["id"])


def confirm(
    service: Service, prediction: str, label: str, who: str = "ben", role: str = "clinician", **body: Any
) -> TestResponse:
    return post(person(service, who, role), body, f"/predictions/{prediction}/labels/{label}/confirmation")


def learnt(service: Service, observed: list[str] = STRANGE, **diagnosis: str) -> tuple[str, str]:
    """A prediction for these findings and its label, confirmed."""
    prediction = str(ranked(service, observed)["id"])
    label = labelled(service, prediction, **diagnosis)
    answer = confirm(service, prediction, label)
    assert answer.status_code == 200, answer.text
    assert "quarantine" not in answer.get_json()
    return prediction, label


def test_a_disease_unknown_to_the_annotations_is_ranked_by_the_next_query_and_no_longer_once_taken_back(
    ready: Service, clock: Clock
) -> None:
    before = ranked(ready, STRANGE)
    assert "OMIM:999999" not in dict(scores(before))

    prediction, label = learnt(ready)

    after = ranked(ready, STRANGE)
    first = after["ranked"][0]
    assert (first["id"], first["learned_from"], after["learned_version"]) == ("OMIM:999999", 1, "1")
    assert ready.client.get(f"/predictions/{after['id']}").get_json()["learned_version"] == "1"

    clock.moment += timedelta(minutes=1)
    assert confirm(ready, prediction, label, withdraw=True).status_code == 200
    restored = ranked(ready, STRANGE)
    assert (restored["learned_version"], restored["ranked"]) == ("2", before["ranked"])


@pytest.mark.parametrize(("system", "code", "listed"), [(OMIM, "154700", "OMIM:154700"), (ORPHA, "558", "OMIM:154700")])
def test_omim_and_orpha_codes_are_the_same_disease_of_the_knowledge_base(
    ready: Service, system: str, code: str, listed: str
) -> None:
    before = dict(scores(ranked(ready)))

    learnt(ready, MARFANOID, system=system, code=code)

    [marfan] = [one for one in ranked(ready)["ranked"] if one["id"] == listed]
    assert marfan["learned_from"] == 1
    assert marfan["score"] > before[listed]


def test_the_author_of_a_label_cannot_confirm_it_whatever_their_role(ready: Service) -> None:
    prediction = str(ranked(ready)["id"])
    label = labelled(ready, prediction)

    for role in ("clinician", "steward", "admin"):
        refused = confirm(ready, prediction, label, who="ada", role=role)
        assert refused.status_code == 409
        assert is_json_failure(refused)
        assert "second clinician" in refused.text
    assert ranked(ready)["learned_version"] == ""


def test_a_system_cannot_confirm(ready: Service) -> None:
    prediction = str(ranked(ready)["id"])
    label = labelled(ready, prediction)
    client = acting(ready, name="ehr", kind="client", role="client", tenant="north")

    answer = post(client, {}, f"/predictions/{prediction}/labels/{label}/confirmation")

    assert answer.status_code == 403


def test_the_same_confirmation_again_is_one_event_and_one_case(ready: Service) -> None:
    prediction, label = learnt(ready)

    again = {confirm(ready, prediction, label).data for _ in range(3)}

    assert len(again) == 1
    assert stored(ready, "SELECT count(*) FROM rare_cases") == [1]
    assert stored(ready, "SELECT version FROM rare_overlays") == [1]


def test_a_steward_may_confirm_and_two_confirmations_are_one_case(ready: Service, clock: Clock) -> None:
    prediction, label = learnt(ready)
    assert confirm(ready, prediction, label, who="cleo", role="steward").status_code == 200
    assert ranked(ready, STRANGE)["ranked"][0]["learned_from"] == 1

    clock.moment += timedelta(minutes=1)
    confirm(ready, prediction, label, withdraw=True)

    assert ranked(ready, STRANGE)["ranked"][0]["learned_from"] == 1


def test_a_confirmation_taken_back_may_be_given_again(ready: Service, clock: Clock) -> None:
    prediction, label = learnt(ready)
    for number in range(3):
        clock.moment += timedelta(minutes=1)
        confirm(ready, prediction, label, withdraw=number % 2 == 0)

    assert confirm(ready, prediction, label, who="eve", withdraw=True).status_code == 404
    assert ranked(ready, STRANGE)["learned_version"] == "4"
    clock.moment += timedelta(minutes=1)
    confirm(ready, prediction, label)
    assert ranked(ready, STRANGE)["ranked"][0]["learned_from"] == 1


@pytest.mark.parametrize("member", ["withdraws", "supersedes"])
def test_what_ends_a_label_ends_what_was_learned_from_it(ready: Service, clock: Clock, member: str) -> None:
    before = ranked(ready, STRANGE)
    prediction, label = learnt(ready)
    clock.moment += timedelta(minutes=1)
    body = {member: label} | ({} if member == "withdraws" else {"diagnosis": {"system": ORPHA, "code": "558"}})

    assert post(person(ready, "ada"), body, f"/predictions/{prediction}/labels").status_code == 200

    assert ranked(ready, STRANGE)["ranked"] == before["ranked"]
    assert confirm(ready, prediction, label, who="cleo").status_code == 409


def test_another_tenant_and_the_test_environment_learn_nothing(ready: Service) -> None:
    learnt(ready)

    for changes in ({"tenant": "south"}, {"environment": "test"}):
        answer = ranked(ready, STRANGE, **changes)
        assert answer["learned_version"] == ""
        assert "OMIM:999999" not in dict(scores(answer))


def test_what_is_confirmed_in_the_test_environment_is_never_learned(ready: Service) -> None:
    prediction = str(ranked(ready, STRANGE, environment="test")["id"])
    path = f"/predictions/{prediction}/labels"
    label = post(person(ready, "ada", environment="test"), {"diagnosis": UNKNOWN}, path).get_json()["id"]

    answer = post(person(ready, "ben", environment="test"), {}, f"{path}/{label}/confirmation")

    assert answer.status_code == 200
    assert stored(ready, "SELECT count(*) FROM rare_cases") == [0]
    assert "OMIM:999999" not in dict(scores(ranked(ready, STRANGE, environment="test")))
    assert ranked(ready, STRANGE)["learned_version"] == ""


def test_what_cannot_be_confirmed_is_refused_with_its_reason(ready: Service) -> None:
    few = str(ranked(ready, MARFANOID[:2])["id"])
    label = labelled(ready, few)
    assert "fewer than 3" in confirm(ready, few, label).text

    other = str(ranked(ready)["id"])
    assert confirm(ready, other, label).status_code == 404
    state = post(person(ready, "ada"), {"category": "chronic"}, f"/predictions/{other}/labels").get_json()["id"]
    refused = confirm(ready, other, state)
    assert refused.status_code == 409
    assert "names no rare disease" in refused.text


@pytest.mark.parametrize("body", [{"withdraw": "yes"}, {"withdraw": 1}, {"comment": "x" * 4001}, {"more": 1}, []])
def test_a_confirmation_that_cannot_be_read_is_400(ready: Service, body: object) -> None:
    answer = post(person(ready, "ben"), body, f"/predictions/{ranked(ready)['id']}/labels/1/confirmation")

    assert answer.status_code == 400


def test_the_effect_on_the_golden_cases_is_shown_by_a_command(ready: Service) -> None:
    learnt(ready)

    told = cds_in(ready, "rare", "effect", "north")
    nothing = json.loads(cds_in(ready, "rare", "effect", "south", "--json").stdout)

    assert told.returncode == 0
    assert told.stdout.startswith("north: version 1, 1 confirmed cases\ngolden cases before first")
    assert (nothing["version"], nothing["cases"], nothing["changed"]) == (0, 0, [])
    assert nothing["golden"]["before"] == nothing["golden"]["after"]


def test_a_case_that_moves_the_published_ones_is_held_back_until_another_steward_lets_it_count(
    ready: Service,
) -> None:
    golden = ready.runtime.beside.rare.get().golden
    prediction = str(ranked(ready, sorted({term for case in golden for term in case.observed}))["id"])
    label = labelled(ready, prediction)

    held = confirm(ready, prediction, label, role="steward").get_json()

    assert held["quarantine"] == "moves-published-cases"
    assert ranked(ready, STRANGE)["learned_version"] == ""
    path, reason = f"/labels/{held['id']}/release", {"reason": "seen"}
    assert post(person(ready, "ben", "steward"), reason, path).status_code == 409
    assert post(person(ready, "cleo", "steward"), reason, path).status_code == 200
    assert ranked(ready, STRANGE)["learned_version"] == "1"


def test_card_and_fhir_say_from_how_many_cases_they_learned(ready: Service) -> None:
    learnt(ready)
    person(ready, "ehr")

    english = the_card(ready, a_call(*STRANGE))["detail"]
    spanish = the_card(ready, a_call(*STRANGE), Accept_Language="es")["detail"]
    body = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient()}]}
    body["entry"] += [{"resource": one} for one in conditions(*STRANGE)]
    answer = post(ready.client, body, "/fhir/$rare-disease")
    assessment = answer.get_json()["entry"][0]["resource"]

    assert "learned from 1 validated case here" in english
    assert "Validated cases of this site: version 1." in english
    assert "aprendido aquí de 1 caso validado" in spanish
    assert "Casos validados de este centro: versión 1." in spanish
    assert explain(answer.data) == []
    assert assessment["prediction"][0]["rationale"].endswith("; learned from 1 validated case here")
    assert "Validated cases of this site: version 1." in [note["text"] for note in assessment["note"]]


def test_the_card_of_the_confirmed_patient_says_that_their_case_was_left_out(ready: Service) -> None:
    person(ready, "ada")
    card = the_card(ready, a_call(*STRANGE))
    assert confirm(ready, card["uuid"], labelled(ready, card["uuid"])).status_code == 200
    person(ready, "ehr")

    again = the_card(ready, a_call(*STRANGE))["detail"]

    assert "This patient's own confirmed case was left out" in again
    assert "OMIM:999999" not in again


def test_feedback_with_a_candidate_of_the_card_is_a_first_validation_until_it_says_otherwise(ready: Service) -> None:
    person(ready, "ehr", role="client")
    card = the_card(ready, a_call(*MARFANOID))
    [marfan] = [one for one in card["overrideReasons"] if one["display"].startswith("Diagnosed: Marfan syndrome")]
    path = "/cds-services/rare-disease/feedback"
    said = {**overridden(card["uuid"], minutes=2), "overrideReason": {"reason": marfan}}
    assert report(ready.client, said, path=path).status_code == 200
    [label] = ready.client.get(f"/predictions/{card['uuid']}/labels").get_json()["labels"]
    assert (label["source"], label["diagnosis"]) == ("feedback", {"system": OMIM, "code": "154700"})

    assert confirm(ready, card["uuid"], label["id"]).status_code == 200
    assert learned_from(ranked(ready)) == 1
    person(ready, "ehr", role="client")
    report(ready.client, accepted(card["uuid"], minutes=1), path=path)

    assert learned_from(ranked(ready)) == 0


def learned_from(answer: Json) -> int:
    return sum(int(one["learned_from"]) for one in answer["ranked"])


def test_a_rare_diagnosis_from_the_problem_list_is_a_first_validation_to_be_confirmed(ready: Service) -> None:
    person(ready, "ehr", role="client")
    card = the_card(ready, a_call(*STRANGE))["uuid"]
    codings = [{"system": ICD10CM, "code": "Q87.89"}, {"system": OMIM, "code": "999999"}]
    take(ready.client, condition(code={"coding": codings}))
    [label] = ready.client.get(f"/predictions/{card}/labels").get_json()["labels"]
    assert ranked(ready, STRANGE)["learned_version"] == ""

    assert confirm(ready, card, label["id"]).status_code == 200

    assert ranked(ready, STRANGE)["ranked"][0]["id"] == "OMIM:999999"
