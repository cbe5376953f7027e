"""No body is a failure of the service: mutated and random requests get an answer or a refusal, always JSON."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from cds_service.runtime import Runtime
from tests.conftest import NOW, REPOSITORY, Service, started
from tests.web.calls import PATH, body_of, fixture, is_json_failure, post
from tests.web.test_predict import ILL

# Enough to find what one run in a hundred would; a failure found is kept below as an example.
EXAMPLES = settings(max_examples=150, suppress_health_check=[HealthCheck.data_too_large])
MUTATIONS = settings(EXAMPLES, max_examples=400)


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Any, predictor: Predictor, tables: CodeTables
) -> Iterator[Service]:
    """One service for all examples: a failure that only comes after others counts too."""
    with (
        pytest.MonkeyPatch.context() as patch,
        started(tmp_path_factory.mktemp("fuzz"), empty_database, predictor, tables) as service,
    ):
        patch.setattr(Runtime, "now", staticmethod(lambda: NOW))
        yield service
    assert "Traceback" not in service.log.read_text()


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
    | st.sampled_from(
        [
            "2026-03-14T09:25:00+01:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:60Z", "24:00", "2026",
            "2026-02", "Patient/1288992", "urn:uuid:", "http://", "[degF]", "%", "final", "8867-4", "1e400", "-0",
        ]
    )
)  # fmt: skip
JSONS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every member and element of a document is."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield (*path, key)
        yield from places(member, (*path, key))


def parent_of(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


@st.composite
def mutated(draw: st.DrawFn, original: Any) -> Any:
    """The document after one to four members were dropped, replaced, doubled, wrapped or taken from elsewhere."""
    document = copy.deepcopy(original)
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(sorted(places(document), key=repr)))
        parent, key = parent_of(document, path), path[-1]
        change = draw(st.sampled_from(["drop", "replace", "wrap", "empty", "swap", "repeat"]))
        if change == "drop":
            del parent[key]
        elif change == "replace":
            parent[key] = draw(JSONS)
        elif change == "wrap":
            parent[key] = [parent[key]] if draw(st.booleans()) else {"value": parent[key]}
        elif change == "empty":
            parent[key] = draw(st.sampled_from(["", [], {}, None]))
        elif change == "swap":
            other = draw(st.sampled_from(sorted(places(document), key=repr)))
            parent[key] = copy.deepcopy(parent_of(document, other)[other[-1]])
        elif isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        if not isinstance(document, dict) or not any(True for _ in places(document)):
            break
    return document


def check(response: TestResponse) -> None:
    """An answer or a refusal by one of the statuses that are promised, JSON in either case, and no way in."""
    assert response.status_code in {200, 400, 404, 409, 412, 413, 415, 422}, response.text
    assert "json" in response.content_type
    json.loads(response.data)
    assert b"Traceback" not in response.data
    assert response.status_code == 200 or is_json_failure(response)


OTHERS = (
    "/fhir/$assess",
    "/predict",
    f"{PATH}/feedback",
    "/cds-services/diagnosis-label",
    "/predictions/0b6f1a6e-6f0e-4c5a-9a43-2f6f3f1d2c11/labels",
)
HOOKS = [fixture(name) for name in ("patient-view-full", "encounter-discharge-full", "state-paged", "with-access")]
BUNDLES = [
    json.loads((REPOSITORY / "fixtures" / "twins" / name / "bundle.json").read_bytes())
    for name in ("data-that-must-not-be-used", "copd-on-scale-two", "uk-style-codes-alone")
]


@MUTATIONS
@given(st.sampled_from(HOOKS).flatmap(mutated), st.booleans())
def test_a_mutated_hook_request_is_answered_or_refused(service: Service, body: Any, fresh: bool) -> None:
    if fresh and isinstance(body, dict) and isinstance(body.get("hookInstance"), str):
        body["hookInstance"] = str(uuid4())
    check(post(service.client, body))


@EXAMPLES
@given(st.sampled_from(HOOKS), st.data())
def test_mutated_resources_are_answered_or_refused(service: Service, body: Any, data: st.DataObject) -> None:
    """The envelope stays whole, so that every example reaches the readers."""
    prefetch = data.draw(mutated(body["prefetch"]))
    check(post(service.client, {**body, "hookInstance": str(uuid4()), "prefetch": prefetch}))


@EXAMPLES
@given(JSONS)
@example({"\u00a0": "\0"})
@example({"a\u2028b": [{"\x85": "\0"}]})
def test_any_json_is_answered_or_refused(service: Service, body: Any) -> None:
    for path in (PATH, *OTHERS):
        check(post(service.client, body, path=path))


@EXAMPLES
@given(JSONS)
def test_any_json_as_a_prefetch_value_or_reading_is_answered_or_refused(service: Service, value: Any) -> None:
    body = body_of({"resourceType": "Observation", "valueQuantity": value, "code": value, "subject": value})
    check(post(service.client, body))
    body = fixture()
    body["prefetch"]["conditions"] = body["prefetch"]["encounter"] = value
    check(post(service.client, body))


@EXAMPLES
@given(st.binary(max_size=300))
@example(b"\xff")
@example(b"[" * 5000)
def test_any_bytes_are_answered_or_refused(service: Service, body: bytes) -> None:
    for path in (PATH, *OTHERS):
        check(post(service.client, body, path=path))


@EXAMPLES
@given(st.sampled_from(HOOKS), st.data())
def test_a_request_with_changed_bytes_is_answered_or_refused(service: Service, body: Any, data: st.DataObject) -> None:
    text = bytearray(json.dumps(body).encode())
    for _ in range(data.draw(st.integers(1, 6))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    check(post(service.client, bytes(text[: data.draw(st.integers(0, len(text)) | st.just(len(text)))])))


@MUTATIONS
@given(st.sampled_from(BUNDLES).flatmap(mutated))
def test_a_mutated_bundle_is_assessed_or_refused(service: Service, body: Any) -> None:
    check(post(service.client, body, path="/fhir/$assess"))


RECORD = {
    **ILL,
    "observed_at": "2026-03-14T09:25:00+01:00",
    "conditions": ["E11.9"],
    "complaint": "cough",
    "weight": 70,
}


@EXAMPLES
@given(
    mutated(
        {
            **RECORD,
            "weight_unit": "kg",
            "patient_id": "4711",
            "spo2_scale": 2,
            "spo2_scale_by": "R",
            "spo2_scale_at": "2026-03-14T08:00Z",
            "oxygen_flow": 2,
        }
    )
)
def test_a_mutated_record_is_predicted_or_refused(service: Service, record: Any) -> None:
    check(post(service.client, record, path="/predict"))


@EXAMPLES
@given(st.dictionaries(st.sampled_from(sorted(RECORD)) | st.text(max_size=10), st.text(max_size=30), max_size=6))
def test_any_query_is_predicted_or_refused(service: Service, query: dict[str, str]) -> None:
    try:
        response = service.client.get("/predict", query_string=query)
    except UnicodeEncodeError:
        return  # half a surrogate pair: no client can write it
    check(response)


@EXAMPLES
@example("fhir0", "GET")
@example("0/0", "GET")  # a person's page
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.sampled_from(["GET", "POST", "PUT", "TRACE"]))
def test_any_address_and_method_is_json(service: Service, path: str, method: str) -> None:
    path = path.lstrip("/")  # the test client would take what follows two slashes for a host
    for prefix in ("/predictions/", "/fhir/RiskAssessment/", "/cds-services/", "/models/", "/"):
        # Two slashes at the start would name a host to the test client, which no address does.
        address = prefix + path.replace("?", "").replace("#", "").lstrip("/")
        response = service.client.open(address, method=method)
        assert response.status_code in {200, 301, 303, 308, 400, 403, 404, 405, 415}, (path, response.status_code)
        if response.status_code >= 400:
            assert "Content-Security-Policy" in response.headers or is_json_failure(response), address  # a page's


@EXAMPLES
@given(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60))
def test_any_language_header_is_answered(service: Service, language: str) -> None:
    response = service.client.get("/cds-services", headers={"Accept-Language": language})

    assert response.status_code == 200
