"""/openapi.json against the running service: calls made from it are answered as it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.checks import CHECKS, load_all_checks

from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from cds_service.web.openapi import OPERATIONS
from tests.conftest import started

load_all_checks()
PROMISES = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    )
]


@pytest.fixture(scope="module")
def described(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, predictor: Predictor, tables: CodeTables
) -> Iterator[Any]:
    with started(tmp_path_factory.mktemp("openapi"), empty_database, predictor, tables) as service:
        yield schemathesis.openapi.from_wsgi("/openapi.json", service.app)


@pytest.mark.parametrize(("method", "path"), [(operation.method, operation.path) for operation in OPERATIONS])
def test_calls_made_from_the_document_are_answered_as_it_says(described: Any, method: str, path: str) -> None:
    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(case=described[path][method.upper()].as_strategy())
    def calls(case: Case) -> None:
        case.call_and_validate(checks=PROMISES)

    calls()
