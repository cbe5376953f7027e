"""HealthChain's sandbox client against the running service: another peer's idea of a CDS Hooks request."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from cds_service.services.example import moved_to_now
from tests.conftest import REPOSITORY, Live

HERE = Path(__file__).parent
PYTHON = REPOSITORY / ".venv-foreign" / "bin" / "python"

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="needs `make foreign-clients`")


def test_a_call_is_answered_with_cards_it_can_read(live: Live) -> None:
    text = (REPOSITORY / "fixtures" / "hooks" / "try.json").read_text()
    request = json.loads(moved_to_now(text, datetime.now(UTC), hook_instance=str(uuid4())))
    asked = {
        "url": f"http://127.0.0.1:{live.port}/cds-services/vitals-risk",
        "context": {name: request["context"][name] for name in ("userId", "patientId")},
        "prefetch": request["prefetch"],
    }

    done = subprocess.run(
        [str(PYTHON), "healthchain_call.py"],
        input=json.dumps(asked),
        env={"PATH": "/usr/bin:/bin"},
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    (answer,) = json.loads(done.stdout)
    assert "NEWS2" in answer["cards"][0]["summary"]
    assert answer["cards"][0]["source"]["label"]
