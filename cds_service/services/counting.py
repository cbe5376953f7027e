"""What one process does for the dashboard: counts its calls, and brings the daily roll-ups up to now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from cds_service.monitoring.calls import Calls
from cds_service.services.references import References
from cds_service.services.roll_up import Roller
from cds_service.services.store_calls import Submit, store_calls

# Rested after each batch of rows, so that calls are answered meanwhile; chosen by us: about as long as a batch takes.
PAUSE_S = 0.002


class Counting:
    """Stores the calls of this process, and does its part in counting days."""

    def __init__(
        self, engine: Engine, submit: Submit, models_dir: Path, calls: Calls, now: Callable[[], datetime]
    ) -> None:
        self._calls = calls
        self.references = References(models_dir)
        self._submit = submit
        self._now = now
        self._roller = Roller(engine, submit, self.references, PAUSE_S, now)

    def count(self) -> None:
        """Store the calls, and count the days that are new or changed unless another process does."""
        store_calls(self._calls, self._submit, now=self._now())
        self._roller.roll_up()
