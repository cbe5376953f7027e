"""Medplum's own CDS Hooks client against the running service: nothing of ours between them but the network."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cds_service.cdshooks.catalogue import VITALS_RISK
from cds_service.services.example import moved_to_now
from tests.conftest import REPOSITORY, Live, live_service
from tests.fhir.fhir_server import FhirServer, a_fhir_server, answer
from tests.web.tokens import a_token, claims, clients_file

HERE = Path(__file__).parent
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(
    NODE is None or not (HERE / "node_modules" / "@medplum" / "core").is_dir(),
    reason="needs node and `make foreign-clients`",
)


@pytest.fixture
def hospital() -> Iterator[tuple[FhirServer, dict[str, str]]]:
    """A FHIR server with the example patient, and the context of a visit there."""
    text = (REPOSITORY / "fixtures" / "hooks" / "try.json").read_text()
    request = json.loads(moved_to_now(text, datetime.now(UTC), hook_instance=str(uuid4())))
    context = request["context"]
    with a_fhir_server() as server:
        for key, template in VITALS_RISK.prefetch["patient-view"].items():
            query = template.replace("{{context.patientId}}", context["patientId"])
            found = request["prefetch"].get(key, {"resourceType": "Bundle", "type": "searchset", "entry": []})
            server.answers[f"/fhir/{query}"] = answer(json.dumps(found).encode())
        yield server, context


def call_as_medplum(service: str, fhir: str, context: dict[str, str], token: str = "") -> dict[str, Any]:
    asked = {
        "service": service,
        "fhir": fhir,
        "id": "vitals-risk",
        "hook": "patient-view",
        "context": context,
        "token": token,
    }
    done = subprocess.run(
        [str(NODE), "medplum.mjs", json.dumps(asked)], cwd=HERE, capture_output=True, text=True, timeout=60, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_call_without_token_is_answered_with_cards(live: Live, hospital: tuple[FhirServer, dict[str, str]]) -> None:
    fhir, context = hospital

    found = call_as_medplum(f"http://127.0.0.1:{live.port}", fhir.base, context)

    assert "vitals-risk patient-view" in found["services"]
    assert "error" not in found
    assert "NEWS2" in found["answer"]["cards"][0]["summary"]


def test_a_call_with_a_token_is_answered_and_one_without_is_told_so(
    tmp_path: Path, hospital: tuple[FhirServer, dict[str, str]]
) -> None:
    fhir, context = hospital
    more = {"CDS_CLIENT_AUTH": "required", "CDS_CLIENTS_FILE": str(clients_file(tmp_path))}
    with live_service(tmp_path, **more) as live:
        base = f"http://127.0.0.1:{live.port}"

        with_token = call_as_medplum(base, fhir.base, context, a_token(**claims(datetime.now(UTC))))
        without = call_as_medplum(base, fhir.base, context)

    assert "NEWS2" in with_token["answer"]["cards"][0]["summary"]
    assert "answer" not in without
    assert "error" in without
