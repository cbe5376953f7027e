"""What a process does beside the calls a chart makes: messages, rare diseases, counts, alarms, and forgetting.

None of it is needed to be ready, so its modules are imported and started afterwards (`Runtime.beside`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Engine

from cds_service import logs
from cds_service.domain.actor import Actor
from cds_service.domain.codes import CodeTables
from cds_service.inference.ranker_service import RareDiseasesLater
from cds_service.monitoring import messages as message_metrics
from cds_service.monitoring.budget import ClientBudgets
from cds_service.monitoring.calls import Calls
from cds_service.monitoring.feeds import Feeds
from cds_service.services.assess_message import Assessor
from cds_service.services.counting import Counting
from cds_service.services.daily import Daily
from cds_service.services.forget import Retention, forget_what_is_old
from cds_service.services.intake import Intake
from cds_service.services.models import Models
from cds_service.services.overlays import Overlays
from cds_service.services.refusals import Refusals
from cds_service.services.replay_message import score_pending
from cds_service.services.shadow import Shadow
from cds_service.services.share_minutes import SHARED_EVERY_S, share_minutes
from cds_service.services.stored_findings import FindingsStore
from cds_service.services.tell_alarms import AlarmTeller
from cds_service.services.watch import Watch
from cds_service.settings import Settings
from cds_service.storage.identity import Keyring
from cds_service.storage.message_log import MessageLog
from cds_service.storage.stored_messages import count_pending, last_heard
from cds_service.storage.writer import GroupWriter

log = logs.get_logger(__name__)
# Chosen by us: a model that is back is used within half a minute, an alarm is seen within one.
PENDING_EVERY_S, LOOK_EVERY_S = 30.0, 60.0

ITSELF = Actor(name="service", kind="command", role="operator", tenant="", environment="production")


@dataclass(slots=True, kw_only=True)
class Beside:
    """The collaborators of what goes on beside. Those of the runtime come first."""

    settings: Settings
    tables: CodeTables
    engine: Engine
    keyring: Keyring
    writer: GroupWriter
    models: Models
    watch: Watch
    shadow: Shadow
    calls: Calls
    budgets: ClientBudgets
    refusals: Refusals
    now: Callable[[], datetime]
    daily: Daily | None = None
    timed: tuple[Daily, ...] = ()
    counting: Counting = field(init=False)
    feeds: Feeds = field(init=False)
    alarms: AlarmTeller = field(init=False)
    rare: RareDiseasesLater = field(init=False)
    overlays: Overlays = field(init=False)
    intake: Intake = field(init=False)
    findings_sent: FindingsStore = field(init=False)

    def __post_init__(self) -> None:
        """The rare-disease knowledge base is not loaded before `start`."""
        self.rare = RareDiseasesLater(
            self.settings.models_dir, failed=lambda text: log.error("rare_diseases_not_loaded", reason=text)
        )
        self.overlays = Overlays(self.engine, self.keyring)
        self.findings_sent = FindingsStore(self.engine, self.keyring, self.settings.site.hl7)
        submit = self.writer.submit_change
        self.counting = Counting(self.engine, submit, self.settings.models_dir, self.calls, self.now)
        self.feeds = Feeds(self.settings.site.feeds, self.now(), lambda key, since: last_heard(self.engine, key, since))
        self.alarms = AlarmTeller(self.feeds, submit)
        self.intake = Intake(
            assessor=Assessor(self.settings.site, self.tables, self.models.answering, self.watch.mode),
            log=MessageLog(self.engine.dialect, self.keyring, self.writer.identities),
            keyring=self.keyring,
            submit=submit,
            feeds=self.feeds,
            offer=self.shadow.offer,
            is_strict=self.settings.hl7_validation == "strict",
        )

    def start(self) -> None:
        """Begin what is done again and again, and load the knowledge base."""
        if any(self._retention):
            self.daily = Daily(self._forget_what_is_old)
        timed = [
            (self._look_at_feeds, LOOK_EVERY_S),
            (self.counting.count, LOOK_EVERY_S),
            (self.refusals.note_passed_over, LOOK_EVERY_S),
            (self._score_pending, PENDING_EVERY_S),
        ]
        if self.engine.dialect.name != "sqlite":  # which takes one process
            timed.append((self._share_minutes, SHARED_EVERY_S))
        self.timed = tuple(Daily(work, first_s=every_s, every_s=every_s) for work, every_s in timed)
        self.rare.start()

    def stop(self) -> None:
        """Begin nothing any more."""
        for work in (*self.timed, *([] if self.daily is None else [self.daily])):
            work.stop()

    def _score_pending(self) -> None:
        score_pending(self.engine, self.intake, by=ITSELF, at=self.now())
        message_metrics.PENDING.set(count_pending(self.engine))

    def _look_at_feeds(self) -> None:
        self.alarms.look(self.now())

    def _share_minutes(self) -> None:
        share_minutes(self.budgets, self.writer.submit_change, self.now())

    def _forget_what_is_old(self) -> None:
        forget_what_is_old(self.writer.submit_change, self._retention, actor=ITSELF, at=self.now())

    @property
    def _retention(self) -> Retention:
        return Retention(self.settings.retention_days, self.settings.message_retention_days)
