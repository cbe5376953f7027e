"""THREATS 74 over MLLP: while the database is away no message is accepted, and each goes in once when it is back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic

import pytest

from bench.processes import free_port
from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from cds_service.mllp.listener import MllpListener
from cds_service.mllp.receiving import receiver
from tests.conftest import Service, started
from tests.databases import Database
from tests.hl7.builders import OBR, PID, PV1, er7, msh, obx
from tests.mllp.conversing import PATIENCE_S, Listening
from tests.stalling import a_path
from tests.storage.builders import eventually

pytestmark = pytest.mark.slow

SENDERS = 6
# The writer gives a group up after its busy timeout; an answer takes no longer than its deadline and a busy machine.
IN_TIME_S = 5.0


@contextmanager
def away_on_sqlite(database: Database) -> Iterator[None]:
    """The file is moved away, and back: its disk was unplugged."""
    path = Path(database.url.removeprefix("sqlite:///"))
    parts = [path, *path.parent.glob(f"{path.name}-*")]
    for part in parts:
        part.rename(part.with_name(f"away-{part.name}"))
    yield
    for part in parts:
        part.with_name(f"away-{part.name}").rename(part)


@pytest.fixture
def outage(each_database: Database) -> Iterator[tuple[str, Callable[[], object]]]:
    """The address of the database, and what takes it away for as long as a block lasts."""
    if each_database.server is None:
        yield each_database.url, lambda: away_on_sqlite(each_database)
        return
    with a_path(each_database.server.port) as path:

        @contextmanager
        def stalled() -> Iterator[None]:
            path.stall()
            yield
            path.flow()

        yield each_database.url.replace(f":{each_database.server.port}/", f":{path.port}/"), stalled


@pytest.fixture
def ed(
    tmp_path: Path,
    empty_database: Path,
    predictor: Predictor,
    tables: CodeTables,
    each_database: Database,
    outage: tuple[str, Callable[[], object]],
) -> Iterator[tuple[Service, Listening]]:
    port = free_port()
    own = {**each_database.settings, "CDS_DATABASE_URL": outage[0], "CDS_MLLP_BIND": f"127.0.0.1:{port}"}
    with started(tmp_path, empty_database, predictor, tables, **own) as service:
        listener = MllpListener(service.runtime.settings, receiver(service.runtime))
        listener.start()
        yield service, Listening(listener, port)
        listener.drain(PATIENCE_S)


def message(name: str) -> bytes:
    return er7(msh(msh_10=name), PID, PV1, OBR, obx())


def test_74_no_message_is_accepted_while_the_database_is_away(
    ed: tuple[Service, Listening], each_database: Database, outage: tuple[str, Callable[[], object]]
) -> None:
    service, mllp = ed
    assert eventually(service.runtime.writer.healthy)

    with ExitStack() as stack:
        senders = [stack.enter_context(mllp.sender()) for _ in range(SENDERS)]
        before = [sender.ask(message(f"before-{number}")) for number, sender in enumerate(senders)]
        with outage[1]():  # type: ignore[attr-defined]
            begun = monotonic()
            during = [sender.ask(message(f"during-{number}")) for number, sender in enumerate(senders)]
            seconds = monotonic() - begun
        assert eventually(service.runtime.writer.healthy, within_s=PATIENCE_S)
        after = [sender.ask(message(f"during-{number}")) for number, sender in enumerate(senders)]

    assert all(b"\rMSA|AA|before-" in answer for answer in before)
    assert all(b"\rMSA|AR|during-" in answer and b"|207^" in answer for answer in during)
    assert seconds < IN_TIME_S * SENDERS
    assert all(b"\rMSA|AA|during-" in answer for answer in after)
    found = each_database.rows("SELECT control_id, count(*) FROM messages GROUP BY control_id ORDER BY control_id")
    assert found == [(f"{when}-{number}", 1) for when in ("before", "during") for number in range(SENDERS)]
    assert each_database.first_broken() is None
