"""Every address has a row that says who may call it, and the row is what happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from cds_service.web.access import ACCESS
from tests.conftest import Clock, Service, started

# A call of each address as it would be made; what follows the address is not read before the caller is known.
ARGUMENTS = {"service_id": "vitals-risk", "prediction_id": "1", "task": "risk", "version": "1.0.0"}


def endpoints(app: Flask) -> set[str]:
    return {rule.endpoint for rule in app.url_map.iter_rules()}


def test_every_endpoint_has_its_row_and_every_row_its_endpoint(service: Service) -> None:
    assert endpoints(service.app) == set(ACCESS)


def test_a_row_says_open_or_client() -> None:
    assert {access.authentication for access in ACCESS.values()} == {"open", "client"}


@pytest.mark.parametrize(
    "endpoint", sorted(name for name, access in ACCESS.items() if access.authentication == "client")
)
def test_without_a_way_to_know_the_caller_nothing_of_a_patient_is_answered(
    endpoint: str, tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> None:
    with started(tmp_path, empty_database, predictor, tables, CDS_CLIENT_AUTH="required") as service:
        for rule in service.app.url_map.iter_rules():
            if rule.endpoint != endpoint:
                continue
            path = str(rule.build({name: ARGUMENTS[name] for name in rule.arguments})[1])  # type: ignore[index]
            for method in (rule.methods or set()) & {"GET", "POST"}:
                response = service.client.open(path, method=method, json={} if method == "POST" else None)
                assert response.status_code == 401, (method, path)
                assert response.headers["WWW-Authenticate"] == "Bearer"
                assert "authentication is required" in response.text


@pytest.mark.parametrize("endpoint", sorted(name for name, access in ACCESS.items() if access.authentication == "open"))
def test_what_is_open_is_answered_to_anyone(
    endpoint: str, tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> None:
    with started(tmp_path, empty_database, predictor, tables, CDS_CLIENT_AUTH="required") as service:
        [rule] = [rule for rule in service.app.url_map.iter_rules() if rule.endpoint == endpoint]
        path = str(rule.build({name: ARGUMENTS[name] for name in rule.arguments})[1])  # type: ignore[index]
        assert service.client.get(path).status_code in (200, 503)
