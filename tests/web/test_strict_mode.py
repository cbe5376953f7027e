"""CDS_FHIR_VALIDATION=strict: what is not valid FHIR is refused with its places; what is valid is answered alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from tests.conftest import REPOSITORY, Clock, Service, started
from tests.web.calls import HEART_RATE, Json, body_of, card, fixture, is_json_failure, observation, post

ANSWERED = ["patient-view-full", "encounter-start-full", "state-null", "state-empty", "state-paged", "state-partial"]


@pytest.fixture
def strict(
    tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> Iterator[Service]:
    with started(tmp_path, empty_database, predictor, tables, CDS_FHIR_VALIDATION="strict") as service:
        yield service


@pytest.mark.parametrize("name", ANSWERED)
def test_valid_fhir_is_answered_as_in_fast_mode(strict: Service, name: str) -> None:
    found = card(strict.client, fixture(name))

    assert found["summary"]
    assert "Demonstration, not for clinical use." in found["detail"]


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "fixtures" / "twins").glob("*/bundle.json")), ids=lambda p: p.parent.name
)
def test_a_bundle_is_assessed_or_refused_with_its_places(strict: Service, path: Path) -> None:
    response = post(strict.client, path.read_bytes(), path="/fhir/$assess")

    assert response.status_code == 200 or (response.status_code == 422 and is_json_failure(response))


WRONG: list[Json] = [
    {"status": "nonsense"},
    {"noSuchMember": "Ferrer"},
    {"effectiveDateTime": "yesterday"},
    {"code": None},
]


@pytest.mark.parametrize("members", WRONG)
def test_what_is_not_valid_is_422_naming_the_place_and_not_the_value(strict: Service, members: Json) -> None:
    response = post(strict.client, body_of(observation(HEART_RATE, 120, **members)))

    assert response.status_code == 422
    assert is_json_failure(response)
    assert "entry" in json.loads(response.data)["issue"][0]["expression"][0]
    for value in ("nonsense", "Ferrer", "yesterday", "1288992"):
        assert value not in response.text
