"""What one process holds while it serves: settings, model, tables, database writer. Started and drained explicitly."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from cds_service import logs
from cds_service.cdshooks.key_store import KeyServerFailed, KeyStore
from cds_service.domain.codes import CodeTables
from cds_service.errors import ConfigurationError, Unavailable
from cds_service.fhir.access import FetchFailed, FhirAccess
from cds_service.inference.codes import load_code_tables
from cds_service.monitoring.budget import ClientBudgets, KnownLogins, LoginBackoff
from cds_service.monitoring.calls import Calls
from cds_service.services.models import Models
from cds_service.services.refusals import Refusals
from cds_service.services.shadow import Shadow
from cds_service.services.stored_readings import ReadingsStore
from cds_service.services.watch import Watch
from cds_service.settings import Settings
from cds_service.settings.clients import Clients
from cds_service.settings.followed import FollowedClients, followed_clients
from cds_service.storage import schema
from cds_service.storage.identity import Keyring
from cds_service.storage.sessions import open_engine
from cds_service.storage.writer import GroupWriter

if TYPE_CHECKING:
    from cds_service.beside import Beside
    from cds_service.fhir.client import FhirClient

log = logs.get_logger(__name__)
# Objects between two runs of the cycle collector. A request makes a few thousand and leaves no cycles behind.
_COLLECT_EVERY = 20_000


@dataclass(slots=True)
class Runtime:
    """The collaborators of every request of this process."""

    settings: Settings
    models: Models
    tables: CodeTables
    engine: Engine
    keyring: Keyring
    writer: GroupWriter
    keys: KeyStore = field(init=False)
    followed: FollowedClients | None = field(init=False)
    refusals: Refusals = field(init=False)
    logins: LoginBackoff = field(default_factory=LoginBackoff)
    known_logins: KnownLogins = field(default_factory=KnownLogins)
    budgets: ClientBudgets = field(init=False)
    watch: Watch = field(init=False)
    draining: bool = field(default=False)
    calls: Calls = field(default_factory=Calls)
    readings: ReadingsStore = field(init=False)
    shadow: Shadow = field(init=False)
    # What was started beside, by name, each asked what is wrong with it, if anything.
    watched: dict[str, Callable[[], str]] = field(default_factory=dict)
    _beside: Beside | None = field(default=None)
    _fhir: FhirClient | None = field(default=None)
    _loading: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        """What depends on the settings: keys are fetched as FHIR resources are."""
        self.keys = KeyStore(self._fetch_keys)
        self.followed = followed_clients(self.settings)
        self.watch = Watch(self.engine, self.settings.site.feedback.snooze, lambda: self.now())
        self.refusals = Refusals(self.writer.submit_audit, lambda: self.now())
        self.budgets = ClientBudgets(self.settings.rate_limit)
        self.readings = ReadingsStore(self.engine, self.keyring, self.settings.site.reading)
        self.shadow = Shadow(self.models.challengers, self.settings.site.assessment, self.writer.submit_change)

    @property
    def beside(self) -> Beside:
        """What goes on beside the calls of charts; imported when first asked for, which takes a fifth of a second."""
        with self._loading:
            if self._beside is None:
                self._beside = self._load_beside()
            return self._beside

    def _load_beside(self) -> Beside:
        from cds_service.beside import Beside

        return Beside(
            settings=self.settings,
            tables=self.tables,
            engine=self.engine,
            keyring=self.keyring,
            writer=self.writer,
            models=self.models,
            watch=self.watch,
            shadow=self.shadow,
            calls=self.calls,
            budgets=self.budgets,
            refusals=self.refusals,
            now=lambda: self.now(),
        )

    @property
    def fhir(self) -> FhirClient:
        """What asks FHIR and key servers; imported when first asked for."""
        with self._loading:
            if self._fhir is None:
                from cds_service.fhir.client import FhirClient

                self._fhir = FhirClient()
            return self._fhir

    @fhir.setter
    def fhir(self, client: FhirClient) -> None:
        self._fhir = client

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
        """Start everything."""
        self.open()
        self.beside.start()

    def open(self) -> None:
        """Start all but what is read last, once the service is ready.

        A database that is away is waited for, a foreign schema refused.
        """
        try:
            schema.check_revision(self.engine)
        except Unavailable as error:
            log.warning("database_unavailable_at_start", reason=error.text)
        self.watch.start()
        self.models.start()
        self.shadow.start()
        log.info("service_started", model=self.models.versions()["risk"], site=self.settings.site.hash)

    def drain(self, timeout_s: float = 10.0) -> None:
        """Commit what is queued and let go of the database; answers false on /readyz from now on."""
        self.draining = True
        if self._beside is not None:
            self._beside.stop()
        self.watch.stop()
        self.models.stop()
        self.shadow.stop()
        self.refusals.note_passed_over()
        committed = self.writer.drain(timeout_s)
        if self._fhir is not None:
            self._fhir.close()
        self.engine.dispose()
        log.info("service_drained", complete=committed)

    def problems(self) -> dict[str, str]:
        """What keeps this process from answering now, by part; empty when it is ready."""
        found = {"process": "draining"} if self.draining else {}
        if not self.writer.healthy():
            found["writer"] = "takes no writes"
        if not self.watch.is_fresh():
            found["modes"] = "could not be read"
        if self.models.versions()["risk"] is None:
            found["model"] = "not known yet"
        found |= {name: problem for name, ask in self.watched.items() if (problem := ask())}
        try:
            schema.check_revision(self.engine)
        except Unavailable:
            found["database"] = "unavailable"
        except ConfigurationError:
            found["database"] = "no current schema found"
        return found

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
