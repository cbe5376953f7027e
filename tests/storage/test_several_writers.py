"""THREATS 78: several writers on one database share its keys, its tokens and one whole chain."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine

from cds_service.domain.patient import Identity
from cds_service.errors import CdsError
from cds_service.storage.audit_log import verify_chain
from cds_service.storage.identity import read_identity
from cds_service.storage.prediction_log import find_reply
from cds_service.storage.sessions import open_engine
from cds_service.storage.writer import GroupWriter
from tests.databases import Database
from tests.storage.builders import a_writer, an_entry, keyring

WRITERS, CALLS = 3, 240


def submit_all(writers: list[GroupWriter], number: int) -> str:
    """The n-th request, sent to one writer after the other: each patient and each key comes to all of them."""
    patient = Identity(f"p-{number % 7}", "Ada Ejemplo")
    entry = an_entry(hook_instance=f"i-{number // 2}", patient=patient)
    try:
        return "replayed" if writers[number % len(writers)].submit(entry).replayed else "stored"
    except CdsError as error:
        return type(error).__name__


def test_78_writers_at_once_extend_one_chain_and_store_each_key_once(database: Database, engine: Engine) -> None:
    """The same patients and keys in every order: without one lock taken first they would wait for each other."""
    engines = [open_engine(database.url, busy_timeout_s=10) for _ in range(WRITERS)]
    with ExitStack() as stack:
        writers = [stack.enter_context(a_writer(one, deadline_s=20)) for one in engines]
        pool = stack.enter_context(ThreadPoolExecutor(24))
        outcomes = Counter(pool.map(lambda number: submit_all(writers, number), range(CALLS)))

    assert outcomes == {"stored": CALLS // 2, "replayed": CALLS // 2}
    assert database.rows("SELECT count(*) FROM predictions") == [(CALLS // 2,)]
    assert database.rows("SELECT count(*), max(seq) FROM audit") == [(CALLS, CALLS)]
    assert verify_chain(engine, keyring()) is None
    for one in engines:
        one.dispose()


HOSTILE = ["north'; DROP TABLE predictions; --", 'x" OR 1=1 --', "%(tenant)s %s $1 :tenant ?", "\\'); SELECT 1; --"]


@pytest.mark.parametrize("text", HOSTILE)
def test_79_text_meant_as_sql_is_stored_and_found_as_text(
    database: Database, engine: Engine, writer: GroupWriter, text: str
) -> None:
    entry = an_entry(tenant=text, hook_instance=text, patient=Identity(text, text))

    writer.submit(entry)

    stored = find_reply(engine, text, "vitals-risk", text)
    assert stored is not None
    assert stored.id == entry.id
    assert read_identity(engine, keyring(), keyring().patient_key(text, text)) == Identity(text, text)
    assert database.rows("SELECT count(*) FROM predictions") == [(1,)]
