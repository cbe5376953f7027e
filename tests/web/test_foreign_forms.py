"""Forms that no page of the session gave: every door of the console turns them away, and nothing is stored."""

from __future__ import annotations

from cds_service.access import ACCESS
from cds_service.domain.actor import LAUNCHED
from cds_service.monitoring.metrics import REFUSALS
from tests.web.feedback_calls import stored
from tests.web.pages import form_token
from tests.web.test_credentials import cds
from tests.web.test_review_pages import Ward
from tests.web.test_review_pages import ward as ward

PEOPLE = {"ann": "admin", "eve": "steward", "ada": "clinician"}
SENT = {
    "category": "acute",
    "comment": "x",
    "skip": "1",
    "field": "spo2",
    "version": "1.0.0",
    "password": "correct horse battery staple",
    "reason": "because",
}


def taken(ward: Ward) -> list[tuple[str, str, frozenset[str]]]:
    """Every address of the console that takes forms of people, with its endpoint and the roles it admits."""
    values = {"prediction_id": ward.case("ada"), "task": "risk"}
    rules = [
        rule
        for rule in ward.service.app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and ACCESS[rule.endpoint].scope in {"page", *LAUNCHED}
    ]
    built = [(rule, rule.build(values, append_unknown=False)) for rule in rules]
    return [(address[1], rule.endpoint, ACCESS[rule.endpoint].roles) for rule, address in built if address]


def everything(ward: Ward) -> dict[str, list[object]]:
    """What is stored, but for refusals in the audit log and what the log's chain keeps of them."""
    tables = stored(ward.service, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%audit%'")
    kept = {name: stored(ward.service, f"SELECT * FROM {name}") for name in tables}
    return kept | {"audit": stored(ward.service, "SELECT action FROM audit WHERE action <> 'refuse'")}


def test_a_form_without_the_secret_of_its_session_is_refused_at_every_door(ward: Ward) -> None:
    assert cds(ward.service, "users", "add", "ann", "--tenant", "north", "--role", "admin").returncode == 0
    doors = taken(ward)
    assert len(doors) == 11
    others = form_token(ward["ben"].get("/triage").get_data(as_text=True))
    calls = [
        (ward[name], address, {**SENT, **token})
        for name, role in PEOPLE.items()
        for address, _, roles in doors
        if role in roles or role == "admin"
        for token in ({}, {"form_token": others})
    ]
    before, refused = everything(ward), REFUSALS.labels("form")._value.get()

    answers = {(address, browser.post(address, data=sent).status_code) for browser, address, sent in calls}

    assert {status for _, status in answers} == {403}
    assert {address for address, _ in answers} == {address for address, *_ in doors}
    assert REFUSALS.labels("form")._value.get() - refused == len(calls)
    assert everything(ward) == before
