"""What was decided outside this process and holds for its next call: modes of tenants, snoozes of patients.

A thread reads them again every second, so that a request only looks into memory and every worker follows a switch
within seconds. What could not be read for too long is not believed any more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import Engine

from cds_service import logs
from cds_service.cdshooks.override_reasons import SNOOZING
from cds_service.domain.feedback import standing_report
from cds_service.domain.mode import Mode
from cds_service.domain.snooze import Severity, Snooze, severity
from cds_service.errors import Suspended, Unavailable
from cds_service.services.looking import Looking
from cds_service.services.stored import outcome_from_bytes
from cds_service.storage.feedback_log import CardSubject, card_subjects, overridden_cards
from cds_service.storage.modes import ModeSwitch, read_modes

# Chosen by us: a switch must be in force within seconds, and one small query a second is not noticed.
EVERY_S = 1.0
# After so long without a look at the database a switch may have been missed; calls are refused until it is seen again.
STALE_S = 10.0

# Tenant, environment, service, patient key.
Key: TypeAlias = tuple[str, str, str, str]

log = logs.get_logger(__name__)


class Watch:
    """Modes and snoozes as they were at the last look. One thread writes them, any thread reads."""

    def __init__(self, engine: Engine, snooze: timedelta, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._snooze = snooze
        self._now = now
        self._modes: dict[str, ModeSwitch] = {}
        self._snoozes: dict[Key, Snooze] = {}
        self._assessed: dict[UUID, tuple[Key | None, Severity]] = {}
        self._looked_at: float | None = None
        self._looking = Looking(self._look, name="watch", every_s=EVERY_S)

    def start(self) -> None:
        """Look once, then again and again; a database that is away is waited for."""
        self._look()
        self._looking.start()

    def stop(self) -> None:
        """Look no more."""
        self._looking.stop()

    def is_fresh(self) -> bool:
        """Whether what is known is recent enough to be believed."""
        return self._looked_at is not None and monotonic() - self._looked_at < STALE_S

    def mode(self, tenant: str) -> Mode:
        """The tenant's mode: live or silent. Suspended where it is, Unavailable where it is not known."""
        if not self.is_fresh():
            raise Unavailable("the modes of tenants could not be read", where="modes")
        switch = self._modes.get(tenant)
        if switch is None:
            return Mode.LIVE
        if switch.mode is Mode.SUSPENDED:
            raise Suspended(f"suspended since {switch.at:%Y-%m-%d %H:%M} UTC: {switch.reason}", where="tenant")
        return switch.mode

    def snooze(self, key: Callable[[], Key | None]) -> Snooze | None:
        """The snooze of a patient; `key` is asked for only where anybody is snoozed."""
        if not self._snoozes:
            return None
        asked = key()
        return None if asked is None else self._snoozes.get(asked)

    def refresh(self) -> None:
        """Read everything again; Unavailable when the database is away, and then nothing changes."""
        modes = read_modes(self._engine)
        snoozes = self._read_snoozes()
        self._modes, self._snoozes, self._looked_at = modes, snoozes, monotonic()

    def _read_snoozes(self) -> dict[Key, Snooze]:
        """The longest snooze of each patient by the reports that hold."""
        since = self._now() - self._snooze
        systems = {system for system, _ in SNOOZING}
        reports = [standing_report(found) for found in overridden_cards(self._engine, since, systems).values()]
        holding = {report.card: report for report in reports if report is not None and report.reason in SNOOZING}
        self._remember(holding.keys() - self._assessed.keys())
        self._assessed = {card: self._assessed[card] for card in holding if card in self._assessed}
        found: dict[Key, Snooze] = {}
        for card, (key, assessed) in self._assessed.items():
            snooze = Snooze(holding[card].outcome_timestamp + self._snooze, assessed)
            if key is not None and (key not in found or found[key].end < snooze.end):
                found[key] = snooze
        return found

    def _remember(self, cards: set[UUID]) -> None:
        """How bad each of these cards said it was: predictions never change, so each is read once."""
        for subject in card_subjects(self._engine, cards) if cards else ():
            concluded = outcome_from_bytes(subject.outcome)
            assessed = severity(None, None) if concluded is None else severity(concluded.news2, concluded.risk)
            self._assessed[subject.id] = _key(subject), assessed

    def _look(self) -> None:
        try:
            self.refresh()
        except Unavailable as error:
            log.warning("watch_unavailable", reason=error.text)


def _key(subject: CardSubject) -> Key | None:
    if subject.patient_key is None:
        return None
    return subject.tenant, subject.environment, subject.service, subject.patient_key
