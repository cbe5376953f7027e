"""Feedback on cards from call to rows: whole or not at all, once, in any order (THREATS 48 to 53)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient

from cds_service.cdshooks.feedback import MAX_REPORTS
from cds_service.cdshooks.override_reasons import NON_ADHERENCE
from cds_service.monitoring.metrics import REGISTRY
from tests.conftest import PUBLIC_URL, Clock, Service
from tests.web.calls import fixture, is_json_failure, post
from tests.web.feedback_calls import FEEDBACK, a_card, accepted, acting, ago, overridden, report, stored

COMMENT = '=HYPERLINK("http://evil","x")<script>alert(1)</script> Tomás Ferrer'


@pytest.fixture
def client(service: Service) -> FlaskClient:
    return acting(service)


def outcomes(service: Service) -> list[str]:
    return stored(service, "SELECT outcome FROM feedback ORDER BY outcome_timestamp")


def labels(service: Service) -> set[tuple[str, str | None]]:
    return set(stored(service, "SELECT kind, category FROM labels"))


def test_feedback_on_several_cards_is_stored_with_its_audit(service: Service, client: FlaskClient) -> None:
    first, second = a_card(client), a_card(client)

    answered = report(client, accepted(first), overridden(second))

    assert (answered.status_code, json.loads(answered.data)) == (200, {"received": 2})
    assert sorted(outcomes(service)) == ["accepted", "overridden"]
    assert stored(service, "SELECT count(*) FROM audit WHERE action = 'feedback'") == [2]


@pytest.mark.parametrize(
    "override",
    [
        {},
        {"overrideReason": None},
        {"overrideReason": {}},
        {"overrideReason": {"userComment": "seen"}},
        {"overrideReason": {"reason": {"code": "x", "system": "urn:x"}}},
        {"overrideReason": {"reason": {"code": "need-more-info", "system": NON_ADHERENCE, "display": "more"}}},
        {"extension": {"org.example": 1}},
    ],
    ids=["nothing", "null", "empty", "comment", "foreign reason", "with display", "extension"],
)
def test_an_override_may_say_much_or_nothing(service: Service, client: FlaskClient, override: Any) -> None:
    assert report(client, overridden(a_card(client), **override)).status_code == 200
    assert outcomes(service) == ["overridden"]
    assert labels(service) == set()


def test_no_items_are_no_error(service: Service, client: FlaskClient) -> None:
    assert json.loads(report(client).data) == {"received": 0}


def test_an_outcome_in_another_zone_is_kept_in_utc(service: Service, client: FlaskClient) -> None:
    report(client, overridden(a_card(client), outcomeTimestamp="2026-03-14T10:39:00.5+02:00"))

    assert stored(service, "SELECT outcome_timestamp FROM feedback") == ["2026-03-14T08:39:00.500000+00:00"]


# THREATS 48

BAD_ITEMS = {
    "no card": ({"card": None}, "feedback[1].card"),
    "card is no UUID": ({"card": "77"}, "feedback[1].card"),
    "outcome unknown": ({"outcome": "ignored"}, "feedback[1].outcome"),
    "no time": ({"outcomeTimestamp": None}, "feedback[1].outcomeTimestamp"),
    "time is a number": ({"outcomeTimestamp": 5}, "feedback[1].outcomeTimestamp"),
    "time without zone": ({"outcomeTimestamp": "2026-03-14T08:00:00"}, "feedback[1].outcomeTimestamp"),
    "date only": ({"outcomeTimestamp": "2026-03-14"}, "feedback[1].outcomeTimestamp"),
    "no such day": ({"outcomeTimestamp": "2026-02-30T08:00:00Z"}, "feedback[1].outcomeTimestamp"),
    "before all time": ({"outcomeTimestamp": "0001-01-01T00:00:00+14:00"}, "feedback[1].outcomeTimestamp"),
    "accepted without suggestions": ({"outcome": "accepted"}, "feedback[1].acceptedSuggestions"),
    "suggestion without id": (
        {"outcome": "accepted", "acceptedSuggestions": [{}]},
        "feedback[1].acceptedSuggestions[0].id",
    ),
    "reason without system": (
        {"overrideReason": {"reason": {"code": "x"}}},
        "feedback[1].overrideReason.reason.system",
    ),
    "reason is text": ({"overrideReason": "because"}, "feedback[1].overrideReason"),
    "comment too long": ({"overrideReason": {"userComment": "x" * 4001}}, "feedback[1].overrideReason.userComment"),
    "comment is a list": ({"overrideReason": {"userComment": ["x"]}}, "feedback[1].overrideReason.userComment"),
}


@pytest.mark.parametrize("case", BAD_ITEMS)
def test_48_one_bad_item_refuses_the_whole_post_and_names_its_place(
    service: Service, client: FlaskClient, case: str
) -> None:
    members, where = BAD_ITEMS[case]
    card = a_card(client)

    answered = report(client, overridden(card), {**overridden(card), **members})

    assert answered.status_code == 400
    assert is_json_failure(answered)
    assert [issue["expression"] for issue in json.loads(answered.data)["issue"]] == [[where]]
    assert outcomes(service) == []


@pytest.mark.parametrize(
    "body",
    [[], None, {}, {"feedback": {}}, {"feedback": None}, {"feedback": [1]}, {"feedback": [{}] * (MAX_REPORTS + 1)}],
    ids=["list", "null", "no member", "object", "null member", "number", "too many"],
)
def test_48_what_is_no_feedback_is_400(service: Service, client: FlaskClient, body: object) -> None:
    answered = post(client, body, FEEDBACK)

    assert answered.status_code == 400
    assert is_json_failure(answered)


def test_48_every_bad_item_is_named(client: FlaskClient) -> None:
    answered = report(client, {"card": "x"}, overridden(str(uuid4())), {"outcome": "accepted"})

    named = [issue["expression"][0] for issue in json.loads(answered.data)["issue"]]
    assert {where.partition(".")[0] for where in named} == {"feedback[0]", "feedback[2]"}


# THREATS 49


def foreign_cards(service: Service) -> Iterator[tuple[str, str]]:
    yield "unknown", str(uuid4())
    yield "another tenant's", a_card(acting(service, tenant="elsewhere"))
    yield "test environment's", a_card(acting(service, environment="test"))
    healthy = post(acting(service), fixture("patient-view-healthy"))
    assert json.loads(healthy.data) == {"cards": []}
    yield "never shown", str(UUID(stored(service, "SELECT id FROM predictions WHERE NOT shown")[0]))


def test_49_a_foreign_card_is_as_unknown_as_none_and_nothing_is_stored(service: Service) -> None:
    cards = dict(foreign_cards(service))
    client = acting(service)
    own = a_card(client)

    answers = {name: report(client, overridden(own), overridden(card)) for name, card in cards.items()}

    assert {answer.status_code for answer in answers.values()} == {404}
    assert len({answer.data for answer in answers.values()}) == 1
    assert "feedback[1].card" in answers["unknown"].text
    assert outcomes(service) == []


def test_49_a_card_of_another_service_and_an_unknown_service_are_404(client: FlaskClient) -> None:
    card = a_card(client)

    for path in ("/cds-services/nothing/feedback", "/cds-services/diagnosis-label/feedback"):
        answered = report(client, overridden(card), path=path)
        assert answered.status_code == 404
        assert is_json_failure(answered)


# THREATS 50


def test_50_the_same_report_is_one_row_however_often_it_comes(service: Service, client: FlaskClient) -> None:
    card = a_card(client)
    item = overridden(card, "acute")
    written_otherwise = {**item, "outcomeTimestamp": item["outcomeTimestamp"].replace("Z", ".000+00:00")}

    answers = {report(client, *items).data for items in ([item], [item], [written_otherwise])}

    assert answers == {b'{"received":1}'}
    assert report(client, item, item).status_code == 200
    assert outcomes(service) == ["overridden"]
    assert labels(service) == {("label", "acute")}
    assert stored(service, "SELECT count(*) FROM audit WHERE object_type IN ('feedback', 'label')") == [2]


def test_50_another_outcome_keeps_the_history(service: Service, client: FlaskClient) -> None:
    card = a_card(client)

    for item in (accepted(card, minutes=1), overridden(card, minutes=3), overridden(card, "mild", minutes=2)):
        assert report(client, item).status_code == 200

    assert outcomes(service) == ["overridden", "overridden", "accepted"]


def test_50_the_ledger_is_the_same_in_whatever_order_reports_come(service: Service, client: FlaskClient) -> None:
    found = set()
    for order in permutations(range(4)):
        card = a_card(client)
        items = [
            overridden(card, minutes=9),
            overridden(card, "acute", minutes=7),
            accepted(card, minutes=5),
            overridden(card, "mild", minutes=3),
        ]
        for number in order:
            assert report(client, items[number]).status_code == 200
        where = f"prediction_id = '{card.replace('-', '')}'"
        found.add(tuple(stored(service, f"SELECT kind, category, stands_at FROM labels WHERE {where} ORDER BY 3")))

    assert found == {(("label", "acute", iso(7)), ("withdrawal", None, iso(5)), ("label", "mild", iso(3)))}


def iso(minutes: float) -> str:
    return ago(minutes).replace("Z", ".000000+00:00")


def test_50_late_feedback_on_an_old_card_is_taken(service: Service, client: FlaskClient, clock: Clock) -> None:
    card = a_card(client)
    clock.moment += timedelta(days=90)

    assert report(client, overridden(card, "mild", minutes=0)).status_code == 200
    assert stored(service, "SELECT received_at > outcome_timestamp FROM feedback") == [1]


# THREATS 52


def test_52_a_comment_is_kept_encrypted_and_is_in_no_answer_log_or_card(service: Service, client: FlaskClient) -> None:
    card = a_card(client)
    item = overridden(card, "acute")
    item["overrideReason"]["userComment"] = COMMENT

    answered = report(client, item)
    service.runtime.drain()

    assert answered.status_code == 200
    kept = b"".join(path.read_bytes() for path in service.database.parent.glob("cds.db*"))
    log = service.log.read_text(encoding="utf-8")
    for part in ("HYPERLINK", "<script>", "Ferrer"):
        assert part.encode() not in kept
        assert part not in log + answered.text
    assert stored(service, "SELECT sealed IS NOT NULL AND key_id IS NOT NULL FROM feedback") == [1]


def test_52_a_refusal_does_not_repeat_the_comment(client: FlaskClient) -> None:
    item = overridden(a_card(client), overrideReason={"userComment": COMMENT, "reason": {"code": "<script>"}})

    answered = report(client, item)

    assert answered.status_code == 400
    assert "script" not in answered.text


# THREATS 53


@pytest.mark.parametrize(("ahead", "status"), [(4.9, 200), (5.1, 400)], ids=["clocks differ", "future"])
def test_53_an_outcome_ahead_of_our_clock_is_refused(
    service: Service, client: FlaskClient, ahead: float, status: int
) -> None:
    answered = report(client, overridden(a_card(client), minutes=-ahead))

    assert answered.status_code == status
    assert len(outcomes(service)) == (status == 200)


def test_53_an_ancient_outcome_keeps_the_time_it_was_received(service: Service, client: FlaskClient) -> None:
    report(client, overridden(a_card(client), "acute", outcomeTimestamp="1950-01-01T00:00:00Z"))

    assert stored(service, "SELECT received_at FROM feedback") == ["2026-03-14T08:40:00.000000+00:00"]
    assert stored(service, "SELECT quarantine FROM labels") == ["observed-before-prediction"]


# What becomes a label


@pytest.mark.parametrize("code", ["not-ill", "mild", "acute", "chronic", "terminal"])
def test_our_own_reasons_become_labels_with_their_provenance(service: Service, client: FlaskClient, code: str) -> None:
    card = a_card(client)
    report(client, overridden(card, code))

    [row] = stored(
        service,
        "SELECT category, source, actor, role, environment, saw_prediction, observed_at, received_at FROM labels",
    )
    assert row == (
        code,
        "feedback",
        "local",
        "client",
        "production",
        "yes",
        iso(1),
        "2026-03-14T08:40:00.000000+00:00",
    )


def test_what_is_accepted_or_only_assessed_is_no_diagnosis(service: Service, client: FlaskClient) -> None:
    card = a_card(client)

    report(client, accepted(card), overridden(card, "already-assessed", minutes=2), overridden(card, minutes=3))

    assert labels(service) == set()


def test_reports_are_counted_by_service_outcome_and_reason(client: FlaskClient) -> None:
    def count(reason: str) -> float:
        values = {"environment": "production", "service": "vitals-risk", "outcome": "overridden", "reason": reason}
        return REGISTRY.get_sample_value("cds_feedback_total", values) or 0.0

    before = {reason: count(reason) for reason in ("already-assessed", "other", "none")}
    card = a_card(client)
    foreign = overridden(card, overrideReason={"reason": {"code": "Tomás Ferrer", "system": "urn:x"}})
    for _ in range(2):
        report(client, overridden(card), overridden(card, "already-assessed"), foreign)

    assert {reason: count(reason) - number for reason, number in before.items()} == {
        "already-assessed": 1,
        "other": 1,
        "none": 1,
    }


def test_the_page_of_the_caller_may_send_feedback(client: FlaskClient) -> None:
    answered = client.options(
        FEEDBACK, headers={"Origin": "https://ehr.example.org", "Access-Control-Request-Method": "POST"}
    )

    assert answered.headers["Access-Control-Allow-Origin"] == "https://ehr.example.org"
    assert PUBLIC_URL not in answered.text
