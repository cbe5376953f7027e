"""Alarms about senders, told once however many processes see them: by the one that holds the lease of an alarm."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any
from uuid import uuid4

from cds_service import logs
from cds_service.monitoring.feeds import Feeds, Standing
from cds_service.storage.change import Change
from cds_service.storage.leases import take_leases

log = logs.get_logger(__name__)

# Chosen by us: three looks. What a process that ended had told of is then told by another that sees it.
LEASE = timedelta(minutes=3)
# Chosen by us: when a network is cut every sender falls silent; twenty lines say so.
MOST_TOLD = 20
OTHER = "(other)"


class AlarmTeller:
    """Looks at the senders this process hears, and logs each alarm that starts or ends unless another process does."""

    def __init__(self, feeds: Feeds, submit: Callable[[Change[Any]], Any]) -> None:
        self.feeds = feeds
        self._submit = submit
        self._holder = uuid4().hex
        self._told: frozenset[Standing] = frozenset()

    def look(self, at: datetime) -> None:
        """Look, and say what is new; what is more than can be read at once is counted."""
        standing = self.feeds.look(at)
        mine = self._mine(standing, at)
        turned = [(one, True) for one in mine if one not in self._told]
        turned += [(one, False) for one in self._told if one not in standing]
        self._told = frozenset(mine)
        for one, has_started in turned[:MOST_TOLD]:
            event = "feed_alarm_started" if has_started else "feed_alarm_ended"
            name = one.key.sender if self.feeds.is_named(one.key) else OTHER
            log.warning(event, alarm=one.alarm.value, peer=one.key.peer, sender=name)
        if len(turned) > MOST_TOLD:
            log.warning("feed_alarms_not_logged", count=len(turned) - MOST_TOLD)

    def _mine(self, standing: list[Standing], at: datetime) -> list[Standing]:
        """Those it is for this process to tell of."""
        if not standing:
            return []
        names = {one: self._lease(one) for one in standing}
        held = self._submit(take_leases(sorted(set(names.values())), self._holder, at=at, until=at + LEASE))
        return [one for one, name in names.items() if name in held]

    def _lease(self, one: Standing) -> str:
        """The name of an alarm's lease. Who a named sender was authenticated as is known only where it was heard."""
        peer = "" if self.feeds.is_named(one.key) else one.key.peer
        return blake2b(f"{one.alarm.value}|{peer}|{one.key.sender}".encode(), digest_size=16).hexdigest()
