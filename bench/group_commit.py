"""Rows stored durably in a second, many in one transaction against one by one, on each database in one run."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from uuid import uuid4

from bench.postgres import NoPostgres, postgres
from bench.report import Figure
from cds_service.domain.patient import Identity
from cds_service.runtime import collect_rarely
from cds_service.storage.group import GroupCommit
from cds_service.storage.identity import IdentityRows, Keyring
from cds_service.storage.link import WriterLink
from cds_service.storage.pending import pending_prediction
from cds_service.storage.prediction_log import PredictionEntry, new_prediction_id
from cds_service.storage.schema import migrate
from cds_service.storage.sessions import open_engine
from cds_service.storage.writer import GROUP_LIMIT

_KEYRING = Keyring("a secret of the bench, long enough to be one")
_ROUNDS, _ROWS = 5, 2 * GROUP_LIMIT
# What a call with 10 Observations leaves: the sizes of the bundled example's row.
_REPLY, _SNAPSHOT, _OUTCOME = bytes(2600), bytes(2400), bytes(1500)


def measure() -> list[Figure]:
    """Both databases sync to disk at each commit; PostgreSQL is left out where none can be started."""
    collect_rarely()  # as the service does
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = [f"sqlite:///{directory / name}.db" for name in ("alone", "together")]
        figures = _compare("SQLite", urls, at_least=10.0)
        try:
            server = stack.enter_context(postgres())
        except NoPostgres as error:
            print(f"group-commit: not measured on PostgreSQL: {error}", file=sys.stderr)
            return figures
        return figures + _compare("PostgreSQL", [server.url(server.create()) for _ in urls], at_least=3.0)


def _compare(name: str, urls: Sequence[str], *, at_least: float) -> list[Figure]:
    """As many of the same rows by the same path, alone and in groups, in turns, each into a database of its own.

    The ratio is the median over the turns: what else the machine does falls on both sides of each.
    """
    with ExitStack() as stack:
        alone, together = (stack.enter_context(closing(_Store(url))) for url in urls)
        rates = [(alone.rate(1), together.rate(GROUP_LIMIT)) for _ in range(_ROUNDS + 1)]
    one, many = zip(*rates[1:], strict=True)
    return [
        Figure(f"{name}: rows committed one by one", median(one), "/s"),
        Figure(f"{name}: rows committed {GROUP_LIMIT} at a time", median(many), "/s"),
        Figure(
            f"{name}: group commit / single commits",
            median(together / alone for alone, together in rates[1:]),
            "times",
            at_least=at_least,
        ),
    ]


class _Store:
    """A database of its own, written to as the writer's thread does."""

    def __init__(self, url: str) -> None:
        migrate(url)
        self._engine = open_engine(url)
        self._rows = IdentityRows(_KEYRING)
        self._commit = GroupCommit(self._engine.dialect, _KEYRING, self._rows)
        self._link = WriterLink(self._engine)

    def rate(self, size: int) -> float:
        """Rows a second, so many in one transaction; every row must be new."""
        rows = [pending_prediction(_entry(), self._rows) for _ in range(_ROWS)]
        begun = time.perf_counter()
        for first in range(0, _ROWS, size):
            self._commit.write(self._link, rows[first : first + size])
        self._tidy()
        seconds = time.perf_counter() - begun
        if any(pending.error is not None for pending in rows):
            raise RuntimeError("a row was refused")
        return _ROWS / seconds

    def _tidy(self) -> None:
        """Copy SQLite's log into the file: each side pays for what it put off."""
        if self._engine.dialect.name == "sqlite":
            with closing(self._engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint")

    def close(self) -> None:
        self._link.close()
        self._engine.dispose()


def _entry() -> PredictionEntry:
    now = datetime.now(UTC)
    return PredictionEntry(
        id=new_prediction_id(now),
        service="vitals-risk",
        tenant="bench",
        environment="test",
        actor="bench",
        hook="patient-view",
        hook_instance=str(uuid4()),
        request_hash=bytes(32),
        reply=_REPLY,
        patient=Identity(str(uuid4()), "Ada Ejemplo"),
        model_version="1.0.0",
        site_hash="0" * 64,
        created_at=now,
        language="en",
        shown=True,
        snapshot=_SNAPSHOT,
        outcome=_OUTCOME,
    )
