"""Requests for the benches: a 12 KB hook of 10 Observations, each call of its own patient and hookInstance."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from bench.client import post
from cds_service.services.example import moved_to_now

_EXAMPLE = Path(__file__).parents[1] / "fixtures" / "hooks" / "try.json"
_INSTANCE = b"0d2f4c1e-6a3b-4f51-9b7e-51d1c4a8e702"
_PATIENT = b"8f2c71d4"
_PATH = "/cds-services/vitals-risk"


def hook_body() -> bytes:
    """The bundled example with fresh times, compact."""
    text = moved_to_now(_EXAMPLE.read_text(encoding="utf-8"), datetime.now(UTC), hook_instance=_INSTANCE.decode())
    return json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False).encode()


def hook_requests(
    count: int, first: int = 0, path: str = _PATH, headers: Callable[[], dict[str, str]] = dict
) -> list[bytes]:
    """So many calls, no two of the same patient or hookInstance, each with headers of its own."""
    body = hook_body()
    return [post(path, numbered(body, n), headers()) for n in range(first, first + count)]


def hook_instance(n: int) -> str:
    """The hookInstance of the n-th call."""
    return str(UUID(int=n + 1, version=4))


def numbered(body: bytes, n: int) -> bytes:
    """The body as the n-th call sends it: its own patient and hookInstance, the same bytes every time."""
    return body.replace(_INSTANCE, hook_instance(n).encode()).replace(_PATIENT, b"%08x" % n)
