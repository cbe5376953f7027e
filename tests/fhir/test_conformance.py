from __future__ import annotations

import subprocess
import sys

import pytest

from cds_service.errors import InvalidResource
from cds_service.fhir.conformance import MAX_BYTES, MAX_PROBLEMS, explain, require_valid
from tests.fhir.builders import bundle, condition, encounter, heart_rate, patient, quantity, text

IN_BUNDLE = "Bundle.entry[0].resource"


def test_valid_resources_have_no_problems() -> None:
    body = text(bundle(patient(), encounter(), heart_rate(), condition("I10")))

    assert explain(body) == []
    require_valid(body)


@pytest.mark.parametrize(
    ("resource", "place"),
    [
        (heart_rate(status="nonsense"), f"{IN_BUNDLE}.status"),
        (heart_rate(valueQuantity=quantity("seventy", "/min")), f"{IN_BUNDLE}.valueQuantity.value"),
        (heart_rate(valueQuantity=quantity(70, "/min") | {"comparator": "~"}), f"{IN_BUNDLE}.valueQuantity.comparator"),
        (heart_rate(component=[{"code": {}, "valueQuantity": {"comparator": "~"}}]), f"{IN_BUNDLE}.component[0]"),
        (heart_rate(colour="red"), f"{IN_BUNDLE}.colour"),
        (patient(gender="F"), f"{IN_BUNDLE}.gender"),
        (patient(birthDate="14/03/1954"), f"{IN_BUNDLE}.birthDate"),
        (encounter(status="ongoing"), f"{IN_BUNDLE}.status"),
        (condition("I10", clinical="current"), f"{IN_BUNDLE}.clinicalStatus"),
        (condition("I10", verified="sure"), f"{IN_BUNDLE}.verificationStatus"),
        ({"resourceType": "Nope"}, "Bundle"),
    ],
)
def test_problem_is_named_with_its_place(resource: dict[str, object], place: str) -> None:
    places = [where for where, _ in explain(text(bundle(resource)))]

    assert any(where.startswith(place) for where in places)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[1]", id="list"),
        pytest.param(b'{"resourceType": ["Patient"]}', id="type is a list"),
        pytest.param(b'{"resourceType": "Nope"}', id="unknown type"),
        pytest.param(b'{"a":' * 5000 + b"1" + b"}" * 5000, id="nested 5,000 deep"),
        pytest.param(b'{"resourceType":"Bundle","entry":[{"resource":' * 40 + b"1" + b"}]}" * 40, id="40 Bundles deep"),
        pytest.param(b'{"resourceType":"Patient","x":"' + b"x" * MAX_BYTES + b'"}', id="over a megabyte"),
        pytest.param(text(patient(gender=[1], name=3)), id="wrong types"),
        pytest.param(text(bundle(3, [], None)), id="entries that are no resources"),
    ],
)
def test_hostile_document_is_explained_not_crashed_on(body: bytes) -> None:
    assert explain(body)


def test_explanation_is_bounded() -> None:
    assert len(explain(text(bundle(*[heart_rate(status="nonsense")] * 200)))) == MAX_PROBLEMS


def test_strict_mode_refuses_with_the_first_place() -> None:
    with pytest.raises(InvalidResource, match=r"Bundle\.entry\[0\]\.resource\.status"):
        require_valid(text(bundle(heart_rate(status="nonsense"), type="collection")))


def test_library_is_loaded_on_first_use_only() -> None:
    program = (
        "import sys, cds_service.fhir.reader, cds_service.fhir.conformance; sys.exit('fhir.resources' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
