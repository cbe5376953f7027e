"""The review queue: blind, then compared; passed on; labels that disagree settled; rare diseases confirmed by two."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from cds_service.storage.audit_log import verify_chain
from tests.conftest import Clock, Service, started
from tests.web.feedback_calls import stored
from tests.web.pages import FILLED, form_token, send, sign_in, text_of
from tests.web.test_confirmations import MARFANOID
from tests.web.test_credentials import basic, cds, token

# Name: role and tenant.
PEOPLE = {
    "ada": ("clinician", "north"),
    "ben": ("clinician", "north"),
    "cat": ("clinician", "north"),
    "eve": ("steward", "north"),
    "sol": ("clinician", "south"),
    "sue": ("steward", "south"),
}
# Where a user reads a prediction without a browser.
BY_PROGRAM = ("/predictions/{}", "/predictions/{}/explain", "/fhir/RiskAssessment/{}")
HIDDEN = ("NEWS2", "Risk of intensive care", "Similar cases")


class Ward:
    """People at their browsers, and the cases they enter."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._browsers: dict[str, FlaskClient] = {}

    def __getitem__(self, name: str) -> FlaskClient:
        """The browser of a person, signed in."""
        if name not in self._browsers:
            self._browsers[name] = self.service.app.test_client()
            assert sign_in(self._browsers[name], name).status_code == 303
        return self._browsers[name]

    def case(self, by: str = "ada", **values: str) -> str:
        """The id of a prediction entered by somebody."""
        shown = send(self[by], "/triage", **(FILLED | values)).get_data(as_text=True)
        return re.findall(r"/console/predictions/([0-9a-f-]{36})", shown)[0]

    def label(self, prediction: str, by: str, **fields: str) -> None:
        address = f"/console/predictions/{prediction}"
        answer = send(self[by], f"{address}/labels", address, **fields)
        assert answer.status_code == 303, text_of(answer)

    def answer(self, prediction: str, by: str, **fields: str) -> Any:
        return send(self[by], f"/review/{prediction}", f"/review/{prediction}", **fields)

    def next_case(self, by: str) -> str | None:
        found = re.search(r'action="[^"]*/review/([0-9a-f-]{36})"', self[by].get("/review").get_data(as_text=True))
        return None if found is None else found[1]

    def labels(self, prediction: str) -> list[dict[str, Any]]:
        rows = stored(
            self.service,
            "SELECT actor, kind, category, code, icu_admission, saw_prediction, quarantine FROM labels "
            f"WHERE prediction_id = '{prediction.replace('-', '')}' ORDER BY received_at, refers_to IS NOT NULL",
        )
        names = ("actor", "kind", "category", "code", "icu", "saw", "quarantine")
        return [dict(zip(names, row, strict=True)) for row in rows]


@pytest.fixture
def ward(
    tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> Iterator[Ward]:
    with started(tmp_path, empty_database, predictor, tables, CDS_CLIENT_AUTH="required") as service:
        for name, (role, tenant) in PEOPLE.items():
            cds(service, "users", "add", name, "--tenant", tenant, "--role", role)
        yield Ward(service)
        assert verify_chain(service.runtime.engine, service.runtime.keyring) is None


def test_the_answer_is_blind_and_then_compared_with_what_the_service_said(ward: Ward) -> None:
    case = ward.case("ada")
    assert ward.next_case("ben") == case
    blind = text_of(ward["ben"].get("/review"))
    assert "Ada Ejemplo · MRN-77 · 1955-03-02" in blind
    assert [words for words in HIDDEN if words in blind] == []

    answered = ward.answer(case, "ben", category="acute")

    assert (answered.status_code, answered.location) == (303, f"/base/review/{case}")
    revealed = text_of(ward["ben"].get(f"/review/{case}"))
    assert [words for words in HIDDEN if words not in revealed] == []
    assert ward.labels(case) == [
        {
            "actor": "ben",
            "kind": "label",
            "category": "acute",
            "code": None,
            "icu": None,
            "saw": "no",
            "quarantine": None,
        }
    ]
    assert ward.next_case("ben") is None


def test_a_correction_after_the_comparison_replaces_the_blind_answer_and_says_it_had_seen(
    ward: Ward, clock: Clock
) -> None:
    case = ward.case("ada")
    ward.answer(case, "ben", category="mild")
    own = re.search(r'name="supersedes" value="([^"]+)"', ward["ben"].get(f"/review/{case}").get_data(as_text=True))
    assert own is not None
    clock.moment += timedelta(minutes=2)

    unchanged = ward.answer(case, "ben", category="mild", supersedes=own[1])
    assert unchanged.location == "/base/review"
    ward.answer(case, "ben", category="acute", supersedes=own[1])

    assert [(one["category"], one["saw"]) for one in ward.labels(case)] == [("mild", "no"), ("acute", "yes")]
    shown = ward["ben"].get(f"/review/{case}")
    history, own = text_of(shown), re.search(r'name="supersedes" value="([^"]+)"', shown.get_data(as_text=True))
    assert own is not None
    assert re.search(r"mildly ill .*had not seen the prediction.* was replaced", history)
    clock.moment += timedelta(minutes=2)

    noted = ward.answer(case, "ben", category="acute", supersedes=own[1], comment="told by phone")

    assert noted.location == f"/base/review/{case}"
    assert len(ward.labels(case)) == 3
    assert "told by phone" in text_of(ward["ben"].get(f"/review/{case}"))


@pytest.mark.parametrize("how", ["/console/predictions/{}", *BY_PROGRAM, "entered", "said"])
def test_who_knew_the_prediction_is_not_blind(ward: Ward, how: str) -> None:
    case = ward.case("ada")
    if how.startswith("/"):
        client = ward.service.client if how in BY_PROGRAM else ward["ben"]
        assert client.get(how.format(case), headers={"Authorization": basic("ben")}).status_code == 200
    who, said = ("ada", {}) if how == "entered" else ("ben", {"known": "1"} if how == "said" else {})
    if how != "said":
        assert ward.next_case(who) is None

    ward.answer(case, who, category="acute", **said)

    assert [one["saw"] for one in ward.labels(case)] == ["yes"]


def test_a_skipped_case_goes_to_others_and_an_unsure_one_to_a_second_person_first(ward: Ward, clock: Clock) -> None:
    older = ward.case("ada")
    clock.moment += timedelta(minutes=5)
    newer = [ward.case("ada", patient_id=f"MRN-{number}") for number in range(4)]

    assert ward.answer(older, "ben", unsure="1").location == "/base/review"
    assert ward.next_case("cat") == older
    assert ward.next_case("ben") in newer

    ward.answer(older, "cat", skip="1")
    assert ward.next_case("eve") == older
    passed = {ward.next_case("ben")}
    for _ in range(3):
        ward.answer(str(ward.next_case("ben")), "ben", skip="1")
        passed.add(ward.next_case("ben"))
    assert passed == set(newer)
    audited = stored(ward.service, "SELECT action FROM audit WHERE actor = 'ben' AND action LIKE 'review-%'")
    assert audited == ["review-unsure", *["review-skip"] * 3]


@pytest.mark.parametrize("how", ["skip", "unsure"])
def test_a_case_is_passed_on_whatever_was_typed_before(ward: Ward, how: str) -> None:
    case = ward.case("ada")

    passed = ward.answer(case, "ben", diagnosis="asth", comment="well", **{how: "1"})

    assert (passed.status_code, passed.location) == (303, "/base/review")
    assert stored(ward.service, "SELECT mark FROM review_marks WHERE actor = 'ben'") == [how]


def test_a_case_without_an_answer_is_not_stored(ward: Ward) -> None:
    case = ward.case("ada")
    refused = ward.answer(case, "ben")
    assert refused.status_code == 400
    assert "Not stored" in text_of(refused)
    assert ward.labels(case) == []


def test_each_look_at_a_case_is_in_the_audit_log_by_what_was_shown(ward: Ward) -> None:
    case = ward.case("ada")
    ward["ben"].get("/review")
    ward.answer(case, "ben", category="acute")
    ward["ben"].get(f"/review/{case}")
    seen = stored(ward.service, f"SELECT action FROM audit WHERE actor = 'ben' AND object_id = '{case}'")
    assert {"case-read", "labels-read", "prediction-read", "similar-read"} <= set(seen)
    assert seen.index("case-read") < seen.index("prediction-read")


@pytest.mark.parametrize(
    "address", ["/review/{}", "/console/predictions/{}", "/console/predictions/{}/labels"], ids=lambda one: one[:18]
)
def test_another_tenant_sees_nothing(ward: Ward, address: str) -> None:
    case = ward.case("ada")
    assert ward.next_case("sol") is None
    if not address.endswith("labels"):
        assert ward["sol"].get(address.format(case)).status_code == 404
    typed = ward["sol"].get(f"/console/predictions/{case}/diagnoses?diagnosis=asth", headers={"HX-Request": "true"})
    assert typed.status_code == 404
    token = form_token(ward["sol"].get("/triage").get_data(as_text=True))
    for path in (
        f"/review/{case}",
        *(f"/console/predictions/{case}/{part}" for part in ("labels", "feedback", "rescore")),
    ):
        sent = {"form_token": token, "category": "acute", "skip": "1", "reason": "x|y"}
        assert ward["sol"].post(path, data=sent).status_code == 404, path
    assert ward.labels(case) == []


def test_labels_that_disagree_wait_for_a_steward_whose_word_settles_them(ward: Ward, clock: Clock) -> None:
    case = ward.case("ada")
    for who, said in (("ada", "acute"), ("ben", "mild"), ("cat", "mild")):
        ward.label(case, who, category=said)
        clock.moment += timedelta(minutes=2)
    assert ward["ada"].get("/review/conflicts").status_code == 403
    listed = text_of(ward["eve"].get("/review/conflicts"))
    assert "Ada Ejemplo · MRN-77" in listed
    assert "ada: acutely ill" in listed
    read = "SELECT action FROM audit WHERE actor = 'eve' AND object_id IN ('conflicts', '{}') ORDER BY seq"
    assert stored(ward.service, read.format(case)) == ["review-list-read", "case-read"]
    assert case not in ward["sue"].get("/review/conflicts").get_data(as_text=True)

    address = f"/console/predictions/{case}"
    assert "A steward decides" in text_of(ward["ada"].get(address))
    refused = send(ward["eve"], f"{address}/adjudication", address, comment="asked both")
    assert refused.status_code == 400
    assert re.findall(r'name="(\w+)"[^>]* value="asked both"', refused.get_data(as_text=True)) == ["comment"]
    assert send(ward["eve"], f"{address}/adjudication", address, category="acute").status_code == 303

    decided = ward.labels(case)[-1]
    assert (decided["actor"], decided["category"], decided["saw"], decided["quarantine"]) == (
        "eve",
        "acute",
        "yes",
        None,
    )
    assert "No labels disagree" in text_of(ward["eve"].get("/review/conflicts"))
    assert "These labels disagree" not in text_of(ward["eve"].get(address))


def ranked(ward: Ward) -> str:
    """The id of a ranking of rare diseases for somebody at the ward."""
    assert ward.service.runtime.beside.rare.wait(30)
    bearer = token(ward.service, "--user", "ada", "--scope", "predict")
    headers = {"Authorization": bearer}
    answer = ward.service.client.post("/rare-diseases", json={"observed": MARFANOID, "sex": "male"}, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.get_json()["id"])


def test_a_rare_disease_is_found_by_name_and_confirmed_by_a_second_person(ward: Ward, clock: Clock) -> None:
    case = ranked(ward)
    address = f"/console/predictions/{case}"
    searched = send(ward["ada"], f"{address}/labels", address, diagnosis="marfan", comment="seen")
    assert "558 Marfan syndrome (ORPHA)" in text_of(searched)
    assert 'value="seen"' in searched.get_data(as_text=True)
    assert ward.labels(case) == []
    ward.label(case, "ada", diagnosis="marfan", coding="http://www.orpha.net|558")
    assert "No rare disease waits for you" in text_of(ward["ada"].get("/review/confirmations"))
    waiting = text_of(ward["eve"].get("/review/confirmations"))
    assert "name not given · record number not given" in waiting
    assert "558 Marfan syndrome" in waiting
    clock.moment += timedelta(minutes=1)

    page = ward["eve"].get(address).get_data(as_text=True)
    label = re.findall(r'name="label" value="([^"]+)"', page)
    assert len(label) == 1
    sent = send(ward["eve"], f"{address}/confirmations", address, label=label[0], comment="on no field of the page")
    assert sent.status_code == 303

    assert "on no field" not in text_of(ward["eve"].get(address))
    assert stored(ward.service, "SELECT disease, counts FROM rare_cases") == [("ORPHA:558", 1)]
    assert "No rare disease waits for you" in text_of(ward["ben"].get("/review/confirmations"))
    other = ranked(ward)
    similar = text_of(ward["ben"].get(f"/console/predictions/{other}"))
    assert "Marfan syndrome ORPHA:558 4 of 4 findings in common" in similar
    clock.moment += timedelta(minutes=1)
    taken = send(ward["eve"], f"{address}/confirmations", address, label=label[0], withdraw="1")
    assert taken.status_code == 303
    assert stored(ward.service, "SELECT counts FROM rare_cases") == [0]


def test_the_queue_asks_about_a_ranking_by_its_findings(ward: Ward) -> None:
    case = ranked(ward)
    blind = text_of(ward["ben"].get("/review"))
    assert ward.next_case("ben") == case
    assert "Arachnodactyly" in blind
    assert "Marfan" not in blind

    ward.answer(case, "ben", diagnosis="marfan", coding="http://www.orpha.net|558")

    assert [(one["code"], one["saw"]) for one in ward.labels(case)] == [("558", "no")]
    assert "Marfan syndrome" in text_of(ward["ben"].get(f"/review/{case}"))
