"""Tokens that were used: known to every writer of the database, and forgotten once they ended long ago."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta

from sqlalchemy import Engine, insert

from cds_service.errors import Unauthorized
from cds_service.storage.sessions import for_writing, open_engine
from cds_service.storage.tables import tokens
from cds_service.storage.token_log import FORGET_EVERY, FORGET_LIMIT, TokenUse
from cds_service.storage.writer import GroupWriter
from tests.databases import Database
from tests.storage.builders import NOW, a_writer, an_entry

ISSUER = "https://ehr.example.org"


def a_use(jti: str, *, request: bytes = b"one", minutes: float = 5) -> TokenUse:
    return TokenUse(issuer=ISSUER, jti=jti, request_hash=request, expires_at=NOW + timedelta(minutes=minutes))


def store_ended(engine: Engine, count: int, *, minutes_ago: float) -> None:
    """Rows of tokens that ended so long ago."""
    ended = NOW - timedelta(minutes=minutes_ago)
    rows = [{"issuer": ISSUER, "jti": f"old-{n}", "request_hash": b"", "expires_at": ended} for n in range(count)]
    with for_writing(engine).begin() as connection:
        connection.execute(insert(tokens), rows)


def count_old(database: Database) -> int:
    found = database.rows("SELECT count(*) FROM tokens WHERE jti LIKE 'old-%'")[0][0]
    assert isinstance(found, int)
    return found


def use_many(writer: GroupWriter, count: int) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: writer.submit(an_entry(token=a_use(f"new-{n}"))), range(count)))


def test_tokens_that_ended_long_ago_are_forgotten_a_bounded_number_at_a_time(
    database: Database, engine: Engine, writer: GroupWriter
) -> None:
    store_ended(engine, FORGET_LIMIT + 10, minutes_ago=120)

    use_many(writer, FORGET_EVERY - 1)
    before = count_old(database)
    writer.submit(an_entry(token=a_use("last")))

    assert before == FORGET_LIMIT + 10
    assert count_old(database) == 10


def test_a_token_that_may_still_count_is_not_forgotten(database: Database, engine: Engine, writer: GroupWriter) -> None:
    store_ended(engine, 20, minutes_ago=1)

    use_many(writer, FORGET_EVERY)

    assert count_old(database) == 20


def test_c37_a_token_at_two_replicas_at_once_opens_one(database: Database) -> None:
    """Each replica gets the token four times, each time for another request; the table says which one it was for."""
    engines = [open_engine(database.url, busy_timeout_s=10) for _ in range(2)]
    with ExitStack() as stack:
        writers = [stack.enter_context(a_writer(one, deadline_s=20)) for one in engines]

        def outcome(number: int) -> str:
            try:
                writers[number % 2].submit(an_entry(token=a_use("stolen", request=bytes([number]))))
            except Unauthorized:
                return "refused"
            return "served"

        with ThreadPoolExecutor(8) as pool:
            outcomes = Counter(pool.map(outcome, range(8)))

    assert outcomes == {"served": 1, "refused": 7}
    assert database.rows("SELECT count(*) FROM predictions") == [(1,)]
    for one in engines:
        one.dispose()


def test_c37_a_retry_at_another_replica_gets_the_stored_answer(database: Database, engine: Engine) -> None:
    other_engine = open_engine(database.url, busy_timeout_s=10)
    entry = an_entry(token=a_use("once"))
    with a_writer(engine) as one, a_writer(other_engine) as other:
        first = one.submit(entry)

        again = other.submit(an_entry(hook_instance=entry.hook_instance, token=a_use("once")))

    assert (again.id, again.replayed) == (first.id, True)
    other_engine.dispose()
