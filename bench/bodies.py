"""Requests for the benches: a 12 KB hook of 10 Observations, each call of its own patient and hookInstance."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from bench.client import post
from cds_service.services.example import moved_to_now

_EXAMPLE = Path(__file__).parents[1] / "fixtures" / "hooks" / "try.json"
_PATIENT = "8f2c71d4"
_PATH = "/cds-services/vitals-risk"


def hook_body() -> bytes:
    """The bundled example with fresh times, compact."""
    text = moved_to_now(_EXAMPLE.read_text(encoding="utf-8"), datetime.now(UTC))
    return json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False).encode()


def hook_requests(count: int, first: int = 0, path: str = _PATH) -> list[bytes]:
    """So many calls, no two of the same patient or hookInstance."""
    body = hook_body()
    instance = json.loads(body)["hookInstance"].encode()
    return [
        post(
            path,
            body.replace(instance, str(UUID(int=n + 1, version=4)).encode()).replace(_PATIENT.encode(), b"%08x" % n),
        )
        for n in range(first, first + count)
    ]
