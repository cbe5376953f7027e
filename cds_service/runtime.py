"""What one process holds while it serves: settings, model, tables, database writer. Started and drained explicitly."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Engine

from cds_service import logs
from cds_service.cdshooks.key_store import KeyServerFailed, KeyStore
from cds_service.domain.actor import Actor
from cds_service.domain.codes import CodeTables
from cds_service.errors import CdsError, ConfigurationError, Unavailable
from cds_service.fhir.access import FhirAccess
from cds_service.fhir.client import FetchFailed, FhirClient
from cds_service.inference.codes import load_code_tables
from cds_service.inference.ranker_service import RareDiseasesLater, load_rare_diseases
from cds_service.monitoring import messages as message_metrics
from cds_service.monitoring.budget import ClientBudgets, KnownLogins, LoginBackoff
from cds_service.monitoring.feeds import Feeds
from cds_service.services.assess_message import Assessor
from cds_service.services.check_database import check_database
from cds_service.services.counting import Counting
from cds_service.services.daily import Daily
from cds_service.services.forget import Retention, forget_what_is_old
from cds_service.services.intake import Intake
from cds_service.services.models import Models, load_models_in_force
from cds_service.services.overlays import Overlays
from cds_service.services.refusals import Refusals
from cds_service.services.replay_message import score_pending
from cds_service.services.shadow import Shadow
from cds_service.services.share_minutes import SHARED_EVERY_S, share_minutes
from cds_service.services.stored_findings import FindingsStore
from cds_service.services.stored_readings import ReadingsStore
from cds_service.services.tell_alarms import AlarmTeller
from cds_service.services.watch import Watch
from cds_service.settings import Settings
from cds_service.settings.clients import Clients
from cds_service.settings.followed import FollowedClients, followed_clients
from cds_service.storage import schema
from cds_service.storage.identity import Keyring
from cds_service.storage.message_log import MessageLog
from cds_service.storage.sessions import open_engine
from cds_service.storage.stored_messages import count_pending, last_heard
from cds_service.storage.writer import GroupWriter

log = logs.get_logger(__name__)
# Chosen by us: a model that is back is used within half a minute, an alarm is seen within one.
PENDING_EVERY_S, LOOK_EVERY_S = 30.0, 60.0

# Objects between two runs of the cycle collector. A request makes a few thousand and leaves no cycles behind.
_COLLECT_EVERY = 20_000

ITSELF = Actor(name="service", kind="command", role="operator", tenant="", environment="production")


@dataclass(slots=True)
class Runtime:
    """The collaborators of every request of this process."""

    settings: Settings
    models: Models
    tables: CodeTables
    engine: Engine
    keyring: Keyring
    writer: GroupWriter
    fhir: FhirClient = field(default_factory=FhirClient)
    keys: KeyStore = field(init=False)
    followed: FollowedClients | None = field(init=False)
    refusals: Refusals = field(init=False)
    logins: LoginBackoff = field(default_factory=LoginBackoff)
    known_logins: KnownLogins = field(default_factory=KnownLogins)
    budgets: ClientBudgets = field(init=False)
    watch: Watch = field(init=False)
    draining: bool = field(default=False)
    daily: Daily | None = field(default=None)
    beside: tuple[Daily, ...] = ()
    counting: Counting = field(init=False)
    feeds: Feeds = field(init=False)
    alarms: AlarmTeller = field(init=False)
    rare: RareDiseasesLater = field(init=False)
    overlays: Overlays = field(init=False)
    intake: Intake = field(init=False)
    readings: ReadingsStore = field(init=False)
    findings_sent: FindingsStore = field(init=False)
    shadow: Shadow = field(init=False)
    # What was started beside, by name, each asked whether it is well.
    watched: dict[str, Callable[[], bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """What depends on the settings: keys are fetched as FHIR resources are.

        The rare-disease knowledge base is not loaded before `start`.
        """
        self.keys = KeyStore(self._fetch_keys)
        self.followed = followed_clients(self.settings)
        self.watch = Watch(self.engine, self.settings.site.feedback.snooze, lambda: self.now())
        self.refusals = Refusals(self.writer.submit_audit, lambda: self.now())
        self.budgets = ClientBudgets(self.settings.rate_limit)
        self.rare = RareDiseasesLater(
            self.settings.models_dir, failed=lambda text: log.error("rare_diseases_not_loaded", reason=text)
        )
        self.overlays = Overlays(self.engine, self.keyring)
        self.readings = ReadingsStore(self.engine, self.keyring, self.settings.site.reading)
        self.findings_sent = FindingsStore(self.engine, self.keyring, self.settings.site.hl7)
        self.counting = Counting(self.engine, self.writer.submit_change, self.settings.models_dir, lambda: self.now())
        self.feeds = Feeds(self.settings.site.feeds, self.now(), lambda key, since: last_heard(self.engine, key, since))
        self.alarms = AlarmTeller(self.feeds, self.writer.submit_change)
        self.shadow = Shadow(self.models.challengers, self.settings.site.assessment, self.writer.submit_change)
        self.intake = Intake(
            assessor=Assessor(self.settings.site, self.tables, self.models.answering, self.watch.mode),
            log=MessageLog(self.engine.dialect, self.keyring, self.writer.identities),
            keyring=self.keyring,
            submit=self.writer.submit_change,
            feeds=self.feeds,
            offer=self.shadow.offer,
            is_strict=self.settings.hl7_validation == "strict",
        )

    @property
    def clients(self) -> Clients:
        """Who may call now: the clients file counts as it is, not as it was at the start."""
        return self.settings.clients if self.followed is None else self.followed.current()

    @classmethod
    def from_settings(cls, settings: Settings) -> Runtime:
        """Load and verify everything; ConfigurationError names what is wrong. The database may still be away."""
        engine = open_engine(settings.database_url)
        keyring = Keyring(settings.secret_key, settings.secret_key_previous)
        writer = GroupWriter(engine, keyring)
        return cls(
            settings=settings,
            models=Models(settings.models_dir, engine, writer.submit_change),
            tables=load_code_tables(settings.models_dir),
            engine=engine,
            keyring=keyring,
            writer=writer,
        )

    def start(self) -> None:
        """Check the schema and start the writer; a database that is away is waited for, a foreign schema refused."""
        try:
            schema.check_revision(self.engine)
        except Unavailable as error:
            log.warning("database_unavailable_at_start", reason=error.text)
        if any(self._retention):
            self.daily = Daily(self._forget_what_is_old)
        looks = (self._look_at_feeds, self.counting.count, self.refusals.note_passed_over)
        timed = [*((look, LOOK_EVERY_S) for look in looks), (self._score_pending, PENDING_EVERY_S)]
        if self.engine.dialect.name != "sqlite":  # which takes one process
            timed.append((self._share_minutes, SHARED_EVERY_S))
        self.beside = tuple(Daily(work, first_s=every_s, every_s=every_s) for work, every_s in timed)
        self.watch.start()
        self.models.start()
        self.shadow.start()
        self.rare.start()  # last: it keeps a processor busy that would otherwise make the service ready
        log.info("service_started", model=self.models.versions()["risk"], site=self.settings.site.hash)

    def drain(self, timeout_s: float = 10.0) -> None:
        """Commit what is queued and let go of the database; answers false on /readyz from now on."""
        self.draining = True
        for work in (*self.beside, *([] if self.daily is None else [self.daily])):
            work.stop()
        self.watch.stop()
        self.models.stop()
        self.shadow.stop()
        self.refusals.note_passed_over()
        committed = self.writer.drain(timeout_s)
        self.fhir.close()
        self.engine.dispose()
        log.info("service_drained", complete=committed)

    @classmethod
    def findings(cls, settings: Settings) -> dict[str, str]:
        """What keeps a service of these settings from starting, by part; an empty text where nothing does."""
        return {
            "models": _problem(lambda: load_models_in_force(settings.models_dir, open_engine(settings.database_url))),
            "code tables": _problem(lambda: load_code_tables(settings.models_dir)),
            "rare diseases": _problem(lambda: load_rare_diseases(settings.models_dir)),
            "database": _problem(lambda: check_database(settings)),
        }

    def problems(self) -> dict[str, str]:
        """What keeps this process from answering now, by part; empty when it is ready."""
        found = {"process": "draining"} if self.draining else {}
        if not self.writer.healthy():
            found["writer"] = "takes no writes"
        if not self.watch.is_fresh():
            found["modes"] = "could not be read"
        if self.models.versions()["risk"] is None:
            found["model"] = "not known yet"
        found |= {name: "takes no messages" for name, is_well in self.watched.items() if not is_well()}
        try:
            schema.check_revision(self.engine)
        except Unavailable:
            found["database"] = "unavailable"
        except ConfigurationError:
            found["database"] = "no current schema found"
        return found

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

    def _fetch_keys(self, address: str) -> bytes:
        rule = self.clients.key_rule(address)
        try:
            found = self.fhir.read_document(FhirAccess(address, None, rule))
        except Unavailable as error:
            raise KeyServerFailed(error.text) from None
        if isinstance(found, FetchFailed):
            raise KeyServerFailed(found.reason)
        return found

    @staticmethod
    def now() -> datetime:
        """The moment of the request, UTC, to the millisecond."""
        moment = datetime.now(UTC)
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def collect_rarely() -> None:
    """Leave what was loaded at start to itself: it stays until the end, and looking through it costs every request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY)


def _problem(check: Callable[[], object]) -> str:
    try:
        check()
    except CdsError as error:
        return str(error)
    return ""
