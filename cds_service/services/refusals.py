"""Callers that were refused, in the audit log: a row for each while those of a minute are few, then their number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from cds_service.errors import Unavailable
from cds_service.monitoring.budget import MinuteBudget
from cds_service.storage.audit_log import AuditEvent

# Chosen by us: an attack is seen in the audit log by a few rows a second, and cannot fill the disk with them.
NOTED_A_MINUTE = 60

_encode = msgspec.json.Encoder().encode


class Refusals:
    """Notes refusals of one process. `submit` returns once a row is stored; what it cannot store is counted."""

    def __init__(self, submit: Callable[[AuditEvent], None], now: Callable[[], datetime]) -> None:
        self._submit = submit
        self._now = now
        self.budget = MinuteBudget(NOTED_A_MINUTE)

    def note(self, endpoint: str, reason: str, said: Mapping[str, str]) -> None:
        """A caller was refused at this address, who said this of itself: ids only."""
        if self.budget.take():
            self._write("address", endpoint, {"reason": reason, **said})

    def note_passed_over(self) -> None:
        """Say how many were not noted, where there were any: the end of a flood has no next row to say it."""
        if self.budget.has_passed_over:
            self._write("process", "", {})

    def _write(self, object_type: str, object_id: str, detail: Mapping[str, str]) -> None:
        passed_over = self.budget.passed_over()
        counted = {"not_noted_before": passed_over} if passed_over else {}
        said = {name: text for name, text in detail.items() if name not in ("tenant", "actor")}
        event = AuditEvent(
            at=self._now(),
            tenant=detail.get("tenant", ""),
            actor=detail.get("actor", "unknown"),
            action="refuse",
            object_type=object_type,
            object_id=object_id,
            detail=_encode({**said, **counted}).decode(),
        )
        try:
            self._submit(event)
        except Unavailable:
            self.budget.pass_over(passed_over + bool(detail))  # the refusal stands, and is said by a later row
