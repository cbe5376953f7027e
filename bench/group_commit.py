"""Rows stored durably in a second, many in one transaction against one by one, on each database in one run."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from uuid import uuid4

from bench.postgres import NoPostgres, postgres
from bench.report import Figure
from cds_service.domain.patient import Identity
from cds_service.storage.group import GroupCommit
from cds_service.storage.identity import IdentityRows, Keyring
from cds_service.storage.link import WriterLink
from cds_service.storage.pending import Pending, pending_prediction
from cds_service.storage.prediction_log import PredictionEntry, new_prediction_id
from cds_service.storage.schema import migrate
from cds_service.storage.sessions import open_engine
from cds_service.storage.writer import GROUP_LIMIT

_KEYRING = Keyring("a secret of the bench, long enough to be one")
_ROUNDS, _ALONE, _TOGETHER, _GROUP = 5, 150, 3840, GROUP_LIMIT
# What a call with 10 Observations leaves: the sizes of the bundled example's row.
_REPLY, _SNAPSHOT, _OUTCOME = bytes(2600), bytes(2400), bytes(1500)


def measure() -> list[Figure]:
    """Both databases sync to disk at each commit; PostgreSQL is left out where none can be started."""
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        figures = _compare("SQLite", f"sqlite:///{Path(directory) / 'cds.db'}", at_least=10.0)
        try:
            server = stack.enter_context(postgres())
        except NoPostgres as error:
            print(f"group-commit: not measured on PostgreSQL: {error}", file=sys.stderr)
            return figures
        return figures + _compare("PostgreSQL", server.url(server.create()), at_least=3.0)


def _compare(name: str, url: str, *, at_least: float) -> list[Figure]:
    migrate(url)
    engine = open_engine(url)
    rows = IdentityRows(_KEYRING)
    commit, link = GroupCommit(engine.dialect, _KEYRING, rows), WriterLink(engine)
    alone, together = [], []
    for _ in range(_ROUNDS + 1):
        alone.append(_rate(commit, link, _groups(rows, _ALONE, 1)))
        together.append(_rate(commit, link, _groups(rows, _TOGETHER, _GROUP)))
    link.close()
    engine.dispose()
    one, many = median(alone[1:]), median(together[1:])
    return [
        Figure(f"{name}: rows committed one by one", one, "/s"),
        Figure(f"{name}: rows committed {_GROUP} at a time", many, "/s"),
        Figure(f"{name}: group commit / single commits", many / one, "times", at_least=at_least),
    ]


def _rate(commit: GroupCommit, link: WriterLink, groups: Sequence[list[Pending]]) -> float:
    """Rows a second over all groups, each one transaction; every row must be new."""
    begun = time.perf_counter()
    for group in groups:
        commit.write(link, group)
    seconds = time.perf_counter() - begun
    if any(pending.error is not None for group in groups for pending in group):
        raise RuntimeError("a row was refused")
    return sum(map(len, groups)) / seconds


def _groups(rows: IdentityRows, count: int, size: int) -> list[list[Pending]]:
    pending = [pending_prediction(_entry(), rows) for _ in range(count)]
    return [pending[first : first + size] for first in range(0, count, size)]


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
