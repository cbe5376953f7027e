from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.cdshooks.catalogue import VITALS_RISK
from cds_service.cdshooks.envelope import InvalidEnvelope, envelope
from cds_service.cdshooks.schemas import explain, request_schema

FIXTURES = Path(__file__).parents[2] / "fixtures" / "hooks"

REQUEST: dict[str, Any] = {
    "hook": "patient-view",
    "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
    "fhirServer": "https://ehr.example.org/fhir",
    "fhirAuthorization": {
        "access_token": "some-opaque-token",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/Observation.rs",
        "subject": "cds-service",
        "patient": "1288992",
    },
    "context": {"userId": "Practitioner/example", "patientId": "1288992", "encounterId": "89284"},
    "prefetch": {"patient": None},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(REQUEST)
    *parents, last = path.split(".")
    place = document
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return document


def test_envelope_holds_what_the_request_says() -> None:
    call = envelope(REQUEST, service=VITALS_RISK)

    assert call.hook == "patient-view"
    assert call.hook_instance == UUID("d1577c69-dfbe-44ad-ba6d-3e05e953b2ea")
    assert (call.user_id, call.patient_id, call.encounter_id) == ("Practitioner/example", "1288992", "89284")
    assert call.fhir_server == "https://ehr.example.org/fhir"


REFUSED = [
    ("hook", ..., "hook"),
    ("hook", 7, "hook"),
    ("hook", "order-sign", "hook"),
    ("hookInstance", ..., "hookInstance"),
    ("hookInstance", "instance-1", "hookInstance"),
    ("hookInstance", "{d1577c69-dfbe-44ad-ba6d-3e05e953b2ea}", "hookInstance"),
    ("context", ..., "context"),
    ("context", None, "context"),
    ("context", [], "context"),
    ("context.userId", ..., "context.userId"),
    ("context.userId", "example", "context.userId"),
    ("context.userId", "Device/1", "context.userId"),
    ("context.patientId", ..., "context.patientId"),
    ("context.patientId", "Patient/1288992", "context.patientId"),
    ("context.patientId", "", "context.patientId"),
    ("context.patientId", 1288992, "context.patientId"),
    ("context.patientId", "x" * 65, "context.patientId"),
    ("context.encounterId", "a b", "context.encounterId"),
    ("prefetch", [], "prefetch"),
    ("fhirServer", ..., "fhirServer"),
    ("fhirServer", "ehr.example.org/fhir", "fhirServer"),
    ("fhirServer", "file:///etc/passwd", "fhirServer"),
    ("fhirServer", "https://user:pass@ehr.example.org/fhir", "fhirServer"),
    ("fhirServer", "https://ehr.example.org/fhir?x=1", "fhirServer"),
    ("fhirAuthorization", "token", "fhirAuthorization"),
    ("fhirAuthorization.access_token", ..., "fhirAuthorization.access_token"),
    ("fhirAuthorization.token_type", "MAC", "fhirAuthorization.token_type"),
    ("fhirAuthorization.expires_in", "300", "fhirAuthorization.expires_in"),
]


@pytest.mark.parametrize(
    ("path", "value", "where"), REFUSED, ids=[f"{path}={value!r:.30}" for path, value, _ in REFUSED]
)
def test_refusal_names_the_member(path: str, value: Any, where: str) -> None:
    with pytest.raises(InvalidEnvelope) as caught:
        envelope(changed(path, value), service=VITALS_RISK)

    assert where in {caught.value.where, *(place for place, _ in caught.value.details)}
    assert caught.value.where
    assert caught.value.text


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("context.encounterId", ...),
        ("context.encounterId", None),
        ("fhirAuthorization", ...),
        ("fhirAuthorization.subject", ...),
        ("prefetch", ...),
        ("prefetch", None),
        ("extension", {"org.example.trial": True}),
        ("somethingNew", [1]),
        ("context.somethingNew", "x"),
        ("hookInstance", "D1577C69-DFBE-44AD-BA6D-3E05E953B2EA"),
    ],
)
def test_what_the_specification_leaves_open_is_tolerated(path: str, value: Any) -> None:
    assert envelope(changed(path, value), service=VITALS_RISK)


@pytest.mark.parametrize("document", [None, 1, "x", [], [REQUEST]])
def test_body_that_is_no_object_is_refused(document: object) -> None:
    with pytest.raises(InvalidEnvelope, match="JSON object"):
        envelope(document, service=VITALS_RISK)


def test_encounter_hooks_need_their_encounter_and_a_clinician() -> None:
    document = changed("context.encounterId", ...)
    document["hook"] = "encounter-start"
    document["context"]["userId"] = "Patient/1"

    places = [where for where, _ in explain(document, service=VITALS_RISK)]

    assert places == ["context.encounterId", "context.userId"]


def test_refusal_does_not_echo_values() -> None:
    secret = "Garcia Lorca, Federico"

    with pytest.raises(InvalidEnvelope) as caught:
        envelope(changed("context.patientId", secret), service=VITALS_RISK)

    assert secret not in str(caught.value)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=4,
)
_paths = st.sampled_from(sorted({path for path, _, _ in REFUSED} | {"context.encounterId", "fhirAuthorization.scope"}))
_hooks = st.sampled_from(["patient-view", "encounter-start", "encounter-discharge"])
_values = _json | st.sampled_from(
    [..., "", "Bearer", "Patient/1", "Practitioner/1\n", "a-1", "https://a/b", True, 0, 1.0]
)


@given(_hooks, st.dictionaries(_paths, _values, max_size=3))
def test_quick_check_and_schema_agree(hook: str, changes: dict[str, Any]) -> None:
    document = {**copy.deepcopy(REQUEST), "hook": hook}
    for path, value in sorted(changes.items(), reverse=True):
        parent, _, last = path.rpartition(".")
        place = document[parent] if parent else document
        if isinstance(place, dict):
            place.pop(last, None) if value is ... else place.update({last: value})

    try:
        envelope(document, service=VITALS_RISK)
        accepted = True
    except InvalidEnvelope:
        accepted = False

    assert accepted == (explain(document, service=VITALS_RISK) == ())


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.json")), ids=lambda path: path.stem)
def test_every_fixture_is_a_sound_request(path: Path) -> None:
    assert envelope(json.loads(path.read_text(encoding="utf-8")), service=VITALS_RISK)


def test_each_hook_has_a_schema_of_its_own_name() -> None:
    names = {type(request_schema(hook, VITALS_RISK.hooks)).__name__ for hook in VITALS_RISK.hooks}

    assert names == {"PatientViewRequest", "EncounterStartRequest", "EncounterDischargeRequest"}
