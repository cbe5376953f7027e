"""Hook requests for the tests of the whole service, how to send them, and what every answer owes its caller."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.fhir.conformance import explain
from tests.conftest import NOW, REPOSITORY

Json = dict[str, Any]

PATH = "/cds-services/vitals-risk"
PATIENT = "1288992"
JSON = "application/json"

HEART_RATE, BREATHING, SPO2, TEMPERATURE = "8867-4", "9279-1", "59408-5", "8310-5"
UNITS = {HEART_RATE: "/min", BREATHING: "/min", SPO2: "%", TEMPERATURE: "Cel"}


def fixture(name: str = "patient-view-full") -> Json:
    """A request of fixtures/hooks under a hookInstance of its own."""
    body: Json = json.loads((REPOSITORY / "fixtures" / "hooks" / f"{name}.json").read_text(encoding="utf-8"))
    return {**body, "hookInstance": str(uuid4())}


def post(client: FlaskClient, body: object, path: str = PATH, **headers: str) -> TestResponse:
    """The answer to a body as JSON, or to bytes as they are."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return client.post(path, data=data, headers=sent)


def cards(client: FlaskClient, body: object, **headers: str) -> list[Json]:
    """The cards of an answer that must be one."""
    response = post(client, body, **headers)
    assert response.status_code == 200, response.text
    document = json.loads(response.data)
    assert faults(document) == []
    found: list[Json] = document["cards"]
    return found


def card(client: FlaskClient, body: object, **headers: str) -> Json:
    """The one card of an answer."""
    [only] = cards(client, body, **headers)
    return only


def observation(loinc: str, value: object, /, **members: Any) -> Json:
    """An Observation of the patient, 15 minutes old; members replace its own, and None leaves one out."""
    built = {
        "resourceType": "Observation",
        "id": f"o-{loinc}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": loinc}]},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "effectiveDateTime": minutes_ago(15),
        "valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": UNITS[loinc]},
        **members,
    }
    return {name: member for name, member in built.items() if member is not None}


def minutes_ago(minutes: float) -> str:
    """So many minutes before the moment of the tests, as FHIR writes it one hour east of it."""
    return (NOW - timedelta(minutes=minutes) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S+01:00")


def quantity(value: object, unit: str | None) -> Json:
    """A valueQuantity in a UCUM unit."""
    return {"value": value, **({"system": "http://unitsofmeasure.org", "code": unit} if unit else {})}


def body_of(*observations: Json, **members: Any) -> Json:
    """A patient-view request with exactly these Observations, of an adult in an emergency visit."""
    body = fixture()
    prefetch = body["prefetch"]
    prefetch["observations"] = bundle(*observations)
    del prefetch["examinations"]
    return {**body, **members}


def bundle(*resources: Json, kind: str = "searchset") -> Json:
    """A Bundle of the resources."""
    return {"resourceType": "Bundle", "type": kind, "entry": [{"resource": resource} for resource in resources]}


def patient(**members: Any) -> Json:
    """The patient of the requests."""
    return {"resourceType": "Patient", "id": PATIENT, "gender": "male", "birthDate": "1954-11-02", **members}


def is_json_failure(response: TestResponse) -> bool:
    """Whether a refusal is what its address promises: a valid OperationOutcome, or an RFC 9457 problem."""
    document = json.loads(response.data)
    path = response.request.path
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    if f"{path}/".startswith(("/cds-services/", "/fhir/")):
        return response.content_type == "application/fhir+json" and explain(response.data) == []
    return response.content_type == "application/problem+json" and document["status"] == response.status_code


def faults(document: Json) -> list[str]:
    """Which of the SHALL rows of CDS Hooks 2.0.1 an answer breaks (docs/reference/cds-hooks.md), each named."""
    found = [f"3: {place} is empty" for place in _empty_members(document, "")]
    if not isinstance(document.get("cards"), list) or set(document) - {"cards", "systemActions"}:
        found.append("48: cards is no list, or there is more than cards")
    for one in document.get("cards", []):
        found += [rule for rule, holds in CARD_RULES.items() if not holds(one)]
    return found


def _empty_members(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            if member in (None, "", [], {}) and (place, name) != ("", "cards"):
                yield f"{place}.{name}"
            yield from _empty_members(member, f"{place}.{name}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _empty_members(member, f"{place}[{index}]")


def _is_coding(value: Json) -> bool:
    return all(isinstance(value.get(name), str) for name in ("code", "system", "display"))


def _suggestions_are_sound(one: Json) -> bool:
    suggestions: Sequence[Json] = one.get("suggestions", [])
    if suggestions and one.get("selectionBehavior") not in ("at-most-one", "any"):
        return False
    actions = [action for suggestion in suggestions for action in suggestion.get("actions", [])]
    return all("label" in suggestion for suggestion in suggestions) and all(
        action.get("type") in ("create", "update", "delete") and action.get("description") for action in actions
    )


CARD_RULES: dict[str, Callable[[Json], bool]] = {
    "52: uuid": lambda one: bool(UUID(one["uuid"])),
    "53: summary under 140 characters, one sentence": lambda one: (
        0 < len(one["summary"]) < 140 and "\n" not in one["summary"]
    ),
    "54: detail is text without HTML": lambda one: "<" not in one["detail"],
    "55: indicator": lambda one: one["indicator"] in ("info", "warning", "critical"),
    "56: source with a label": lambda one: bool(one["source"]["label"]),
    "57: source.url is absolute": lambda one: one["source"]["url"].startswith(("https://", "http://")),
    "59-64: suggestions": _suggestions_are_sound,
    "67: no actionSelectionBehavior": lambda one: "actionSelectionBehavior" not in json.dumps(one),
    "68: override reasons are whole codings": lambda one: all(map(_is_coding, one["overrideReasons"])),
    "70: links": lambda one: all(
        link["label"] and link["url"].startswith("http") and link["type"] in ("absolute", "smart")
        for link in one["links"]
    ),
    "71: appContext on smart links only": lambda one: all(
        link["type"] == "smart" or "appContext" not in link for link in one["links"]
    ),
}
