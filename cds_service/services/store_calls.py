"""Keeping what a process counted of its calls, beside what others did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import msgspec

from cds_service.errors import CdsError
from cds_service.monitoring.calls import Calls, calls_from_bytes, sum_of_calls
from cds_service.storage.change import Change
from cds_service.storage.day_calls import join_processes, save_calls
from cds_service.storage.rollups import Whose

Submit: TypeAlias = Callable[[Change[Any]], Any]

# A process stores yesterday's last calls soon after midnight; chosen by us: a day later all have.
_JOINED_AFTER = timedelta(days=1)


def store_calls(calls: Calls, submit: Submit, *, now: datetime) -> None:
    """Store what is new, and put together what all processes counted of days long over."""
    changed = calls.changed()
    if not changed:
        return
    try:
        submit(
            save_calls(
                calls.process,
                {(Whose(key.tenant, key.environment), key.day): content for key, content in changed.items()},
            )
        )
    except CdsError:
        calls.keep(changed)
        raise
    calls.forget_before(now.date())
    submit(join_processes((now - _JOINED_AFTER).date(), _sum))


def _sum(contents: Sequence[bytes]) -> bytes:
    return msgspec.json.encode(sum_of_calls([calls_from_bytes(content) for content in contents]))
