"""What each client may still call in its minute, whichever process it asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from cds_service.errors import Unavailable
from cds_service.monitoring.budget import ClientBudgets
from cds_service.storage.change import Change
from cds_service.storage.client_minutes import Client, add_calls

# Chosen by us: one small statement a second and client, and a limit that is passed by no more than a second's calls.
SHARED_EVERY_S = 1.0


def share_minutes(budgets: ClientBudgets, submit: Callable[[Change[Any]], Any], now: datetime) -> None:
    """Tell the others what this process let in since it last told, and take over what all let in."""
    untold = budgets.untold()
    if not untold:
        return
    try:
        found = submit(add_calls({Client(*who): count for who, count in untold.items()}, now))
    except Unavailable:
        budgets.keep(untold)  # told the next time; until then each process counts by itself
        return
    for client, minute in found.items():
        budgets.take_over(client, ago_s=(now - minute.began_at).total_seconds(), used=minute.used)
