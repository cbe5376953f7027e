"""What the compiled models take, the library must accept: every member of many resources changed in many ways."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from cds_service.fhir import compiled
from cds_service.fhir.compiled import is_known_valid
from cds_service.fhir.conformance import explain, require_valid
from tests.fhir.builders import bundle, condition, encounter, heart_rate, patient, quantity, text

FIXTURES = Path(__file__).parents[2] / "fixtures"

EXTENSION = {"url": "https://example.org/a", "extension": [{"url": "b", "valueCoding": {"code": "x"}}]}

# Each says something the others do not: choices, times, extensions in extensions, backbone elements.
RESOURCES: dict[str, dict[str, Any]] = {
    "patient": patient(
        extension=[EXTENSION],
        deceasedBoolean=False,
        maritalStatus={"coding": [{"system": "urn:x", "code": "M"}], "text": "married"},
        telecom=[{"system": "phone", "value": "1", "rank": 1, "period": {"start": "2020-02-29", "end": "2021"}}],
        communication=[{"language": {"text": "es"}, "preferred": True}],
        link=[{"other": {"reference": "Patient/2"}, "type": "refer"}],
        text={"status": "generated", "div": "<div>x</div>"},
    ),
    "heart rate": heart_rate(
        issued="2026-03-14T09:30:00.000+01:00",
        meta={"versionId": "3", "lastUpdated": "2026-03-14T09:30:00Z", "profile": ["urn:p"]},
        referenceRange=[{"low": quantity(60, "/min"), "text": "usual"}],
        note=[{"authorString": "N", "time": "2026-03-14", "text": "resting"}],
        extension=[{"url": "urn:e", "valueDateTime": "2026-03"}],
    ),
    "panel": heart_rate(
        component=[
            {"code": {"coding": [{"code": "8480-6"}]}, "valueQuantity": quantity(120, "mm[Hg]") | {"comparator": "<"}},
            {"code": {"text": "pain"}, "valueInteger": 3},
            {"code": {"text": "when"}, "valueTime": "09:30:00"},
        ]
    ),
    "condition": condition("I10") | {"onsetDateTime": "2019", "stage": [{"summary": {"text": "II"}}]},
    "encounter": encounter(
        statusHistory=[{"status": "arrived", "period": {}}], length={"value": 1.5, "comparator": ">"}
    ),
    "bundle": bundle(patient(), link=[{"relation": "self", "url": "Patient?_id=1"}]),
}

VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        0,
        -1,
        1.5,
        1e300,
        2**40,
        "",
        " ",
        " x",
        "x ",
        "a  b",
        "x\n",
        "\x0b",
        "\x1c",
        "\u2028",
        "é",
        "<",
        "~",
    ),
    *(
        "2026-02-30",
        "2026-13",
        "0000",
        "2026-03-14T09:30:00",
        "2026-03-14T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "23:60:00",
    ),
    *("final", "Patient", "a" * 70, "a/b", "http://[", [], {}, [None], [{}], {"x": 1}, {"value": "1"}, [[]], ["", "a"]),
)


NAMES = ("colour", "resourceType", "id", "extension", "valueString", "deceasedDateTime", "effectiveInstant")


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key in it."""
    for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield node, key
        yield from places(node[key])


def changed(resource: dict[str, Any]) -> Iterator[bytes]:
    """The resource with one thing changed at a time: a value, a member gone, a member under a second name."""
    for number in range(sum(1 for _ in places(resource))):
        for value in VALUES:
            copy, holder, key = _at(resource, number)
            holder[key] = value
            yield text(copy)
        copy, holder, key = _at(resource, number)
        del holder[key]
        yield text(copy)
        if isinstance(holder, dict):
            for other in (f"_{key}", *NAMES):
                yield text(_named(resource, number, other))


def _at(resource: dict[str, Any], number: int) -> tuple[dict[str, Any], Any, Any]:
    copy = deepcopy(resource)
    holder, key = list(places(copy))[number]
    return copy, holder, key


def _named(resource: dict[str, Any], number: int, other: str) -> dict[str, Any]:
    copy, holder, key = _at(resource, number)
    holder[other] = holder[key]
    return copy


@pytest.mark.parametrize("name", RESOURCES)
def test_what_is_known_to_be_valid_is_accepted_by_the_library(name: str) -> None:
    resource = RESOURCES[name]
    variants = {*changed(resource), text(resource)}

    taken = [body for body in variants if is_known_valid(body)]

    assert is_known_valid(text(resource))
    assert 0 < len(taken) < len(variants)
    assert [(body, explain(body)) for body in taken if explain(body)] == []


@pytest.mark.parametrize("path", sorted((FIXTURES / "hooks").glob("*full.json")), ids=lambda path: path.stem)
def test_complete_hooks_need_no_library(path: Path) -> None:
    parts = json.loads(path.read_text(encoding="utf-8"))["prefetch"].values()

    assert all(is_known_valid(text(part)) for part in parts)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(text(patient() | {"gender": None}), id="null member"),
        pytest.param(text(patient(_birthDate={"id": "1"})), id="extended primitive"),
        pytest.param(text(patient(contained=[heart_rate()])), id="contained"),
        pytest.param(text({"resourceType": "Flag", "status": "active"}), id="other resource type"),
        pytest.param(b'{"resourceType":"Patient"', id="cut off"),
        pytest.param(b"\xff", id="not text"),
        pytest.param(b'{"a":' * 5000 + b"1" + b"}" * 5000, id="nested 5,000 deep"),
    ],
)
def test_what_is_rare_is_left_to_the_library(body: bytes) -> None:
    assert not is_known_valid(body)


def test_strict_mode_asks_the_library_about_what_is_not_known() -> None:
    body = text(patient(_birthDate={"extension": [{"url": "urn:time", "valueDateTime": "1954-03-14T07:00:00Z"}]}))

    assert not is_known_valid(body)
    require_valid(body)


def test_texts_remembered_are_short() -> None:
    long_date = "2026-03-14T09:30:00." + "1" * compiled._LONGEST_REMEMBERED + "Z"

    assert not is_known_valid(text(heart_rate(effectiveDateTime=long_date)))
