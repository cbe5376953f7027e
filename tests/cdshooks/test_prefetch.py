from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cds_service.cdshooks.catalogue import VITALS_RISK
from cds_service.cdshooks.prefetch import (
    Note,
    NoteKind,
    PrefetchState,
    missing_required,
    read_prefetch,
)
from cds_service.errors import BadRequest

FIXTURES = Path(__file__).parents[2] / "fixtures" / "hooks"

PATIENT = {"resourceType": "Patient", "id": "1"}
ENTRY = {"resource": {"resourceType": "Observation", "id": "1"}}
ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]}
WARNING = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "not-supported"}]}
NEXT = [{"relation": "next", "url": "https://ehr.example.org/fhir?page=2"}]


def a_bundle(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "searchset", "entry": list(entries), **more}


STATES = [
    ("resource", PATIENT, PrefetchState.RESOURCE, []),
    ("bundle", a_bundle(ENTRY), PrefetchState.RESOURCE, []),
    ("null", None, PrefetchState.NULL, []),
    ("bundle with no entries", a_bundle(), PrefetchState.EMPTY, []),
    ("bundle without entry", {"resourceType": "Bundle", "type": "searchset"}, PrefetchState.EMPTY, []),
    ("its own failure", ERROR, PrefetchState.OPERATION_OUTCOME, [NoteKind.QUERY_FAILED]),
    (
        "failure inside a bundle",
        a_bundle({"resource": ERROR}),
        PrefetchState.OPERATION_OUTCOME,
        [NoteKind.QUERY_FAILED],
    ),
    (
        "data beside a failure",
        a_bundle(ENTRY, {"resource": ERROR}),
        PrefetchState.RESOURCE,
        [NoteKind.QUERY_REPORTED],
    ),
    ("data beside a warning", a_bundle(ENTRY, {"resource": WARNING}), PrefetchState.RESOURCE, []),
    ("nothing but a warning", a_bundle({"resource": WARNING}), PrefetchState.EMPTY, []),
    ("first page", a_bundle(ENTRY, link=NEXT), PrefetchState.PAGED, [NoteKind.FIRST_PAGE_ONLY]),
    ("unreadable", {"resourceType": "Bundle", "entry": "none"}, PrefetchState.RESOURCE, []),
    ("without resourceType", {}, PrefetchState.RESOURCE, []),
]
IDS = [name for name, *_ in STATES]


@pytest.mark.parametrize("as_bytes", [False, True], ids=["parsed", "bytes"])
@pytest.mark.parametrize(("name", "value", "state", "notes"), STATES, ids=IDS)
def test_states_are_told_apart(
    name: str, value: Any, state: PrefetchState, notes: list[NoteKind], as_bytes: bool
) -> None:
    sent = msgspec.Raw(json.dumps(value).encode()) if as_bytes else value

    prefetch = read_prefetch(VITALS_RISK, "patient-view", {"observations": sent})

    assert prefetch.states["observations"] is state
    assert prefetch.notes == tuple(Note(kind, "observations") for kind in notes)
    assert prefetch.parts == ((sent,) if state in (PrefetchState.RESOURCE, PrefetchState.PAGED) else ())


def test_absent_keys_are_absent_and_unasked_keys_are_left_alone() -> None:
    prefetch = read_prefetch(VITALS_RISK, "patient-view", {"medications": 7, "patient": PATIENT})

    assert prefetch.states["observations"] is PrefetchState.ABSENT
    assert set(prefetch.states) == set(VITALS_RISK.prefetch["patient-view"])
    assert prefetch.parts == (PATIENT,)


@pytest.mark.parametrize("value", [7, "x", [], msgspec.Raw(b"7"), msgspec.Raw(b"[]"), True])
def test_value_that_is_no_resource_is_refused(value: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        read_prefetch(VITALS_RISK, "patient-view", {"observations": value})

    assert caught.value.where == "prefetch.observations"


@pytest.mark.parametrize(
    ("value", "missing"),
    [(..., ("observations",)), (None, ()), (a_bundle(), ()), (ERROR, ()), (a_bundle(ENTRY), ())],
    ids=["absent", "null", "empty", "failed", "data"],
)
def test_only_an_absent_key_counts_as_missing(value: Any, missing: tuple[str, ...]) -> None:
    sent = {"patient": PATIENT} if value is ... else {"patient": PATIENT, "observations": value}

    assert missing_required(VITALS_RISK, read_prefetch(VITALS_RISK, "patient-view", sent)) == missing


FIXTURE_STATES = {
    "patient-view-full": PrefetchState.RESOURCE,
    "state-absent": PrefetchState.ABSENT,
    "state-no-prefetch": PrefetchState.ABSENT,
    "state-null": PrefetchState.NULL,
    "state-empty": PrefetchState.EMPTY,
    "state-partial": PrefetchState.RESOURCE,
    "state-operation-outcome": PrefetchState.OPERATION_OUTCOME,
    "state-operation-outcome-in-bundle": PrefetchState.OPERATION_OUTCOME,
    "state-paged": PrefetchState.PAGED,
}


@pytest.mark.parametrize(("name", "state"), FIXTURE_STATES.items(), ids=list(FIXTURE_STATES))
def test_fixtures_show_every_state(name: str, state: PrefetchState) -> None:
    document = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))

    prefetch = read_prefetch(VITALS_RISK, document["hook"], document.get("prefetch") or {})

    assert prefetch.states["observations"] is state


def test_parts_are_handed_on_as_bytes_when_there_are_bytes() -> None:
    raw = {"patient": msgspec.Raw(b'{"resourceType":"Patient"}'), "conditions": msgspec.Raw(b"null")}

    prefetch = read_prefetch(VITALS_RISK, "patient-view", {"patient": PATIENT, "conditions": None}, raw=raw)

    assert prefetch.parts == (raw["patient"],)


@pytest.mark.parametrize(
    "value",
    [
        a_bundle(link=7),
        a_bundle(ENTRY, link=[7]),
        {"resourceType": "Bundle", "entry": [7]},
        {"resourceType": "Bundle", "entry": [{"resource": 7}]},
        {"resourceType": 7},
        a_bundle({"resource": {"resourceType": "OperationOutcome", "issue": 7}}),
        a_bundle(ENTRY, link=7),
    ],
)
def test_odd_shapes_are_left_for_the_reader(value: Any) -> None:
    assert read_prefetch(VITALS_RISK, "patient-view", {"observations": value}).states
