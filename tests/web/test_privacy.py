"""What may not get out: tokens, patients in the log, calls nobody configured."""

import subprocess
import sys

from tests.conftest import PATIENT_DATA, Service
from tests.web.calls import fixture, post

TOKEN = "eyJhbGciOiJub25lIn0.c2VjcmV0LXRva2Vu.abc"
AUTHORIZATION = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300, "scope": "s", "subject": "cds"}


def test_a_token_is_nowhere_after_a_call(service: Service) -> None:
    body = {**fixture(), "fhirServer": "https://ehr.example.org/fhir", "fhirAuthorization": AUTHORIZATION}

    answered = post(service.client, body, Authorization=f"Bearer {TOKEN}")

    assert answered.status_code == 200
    kept = [path for path in service.database.parent.iterdir() if TOKEN.encode() in path.read_bytes()]
    assert kept == []
    assert TOKEN not in answered.text


def test_no_patient_data_reaches_the_log(service: Service) -> None:
    client = service.client

    post(client, fixture())
    post(client, {**fixture(), "context": {"userId": "x"}})
    client.get("/predict?age=71&heart_rate=abc")
    client.get("/predict?age=71&patient_id=1288992")

    written = service.log.read_text(encoding="utf-8")
    assert "prediction_logged" in written
    assert [data for data in (*PATIENT_DATA, "heart_rate=", "abc", "71") if f'"{data}' in written] == []


def test_the_patient_is_only_in_the_encrypted_table(service: Service) -> None:
    post(service.client, fixture())
    service.runtime.drain()

    kept = b"".join(path.read_bytes() for path in service.database.parent.glob("cds.db*"))
    assert [data for data in ("Ferrer", "1954-11-02", "1288992") if data.encode() in kept] == []


def test_nothing_but_the_fhir_client_can_call_out() -> None:
    callers = ("requests", "urllib3", "aiohttp")  # httpx has one home, see tests/architecture
    code = f"import sys, cds_service.app; print([n for n in {callers} if n in sys.modules])"

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert found.stdout.strip() == "[]"
