from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Connection, Engine, func, insert, select, update

from cds_service.errors import BadRequest, CdsError, Conflict, NotFound, Unauthorized
from cds_service.storage.audit_log import verify_chain
from cds_service.storage.change import Applied, Change, add_missing
from cds_service.storage.tables import audit, audit_head, predictions, tokens
from cds_service.storage.token_log import TokenUse
from cds_service.storage.writer import GroupWriter
from tests.storage.builders import NOW, an_entry, an_event, keyring


def a_use(**changes: object) -> TokenUse:
    values = {"issuer": "https://ehr", "jti": "1", "request_hash": b"one", "expires_at": NOW + timedelta(minutes=5)}
    return TokenUse(**{**values, **changes})  # type: ignore[arg-type]


def rows(engine: Engine, table: object) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[call-overload]


def note(connection: Connection) -> Applied[str]:
    connection.execute(insert(tokens).values(issuer="x", jti="y", request_hash=b"", expires_at=NOW))
    return Applied("noted", [an_event(action="note")])


def refuse(connection: Connection) -> Applied[None]:
    connection.execute(insert(tokens).values(issuer="x", jti="z", request_hash=b"", expires_at=NOW))
    raise NotFound("no such card")


def test_a_change_and_its_events_are_committed_before_its_result(engine: Engine, writer: GroupWriter) -> None:
    result = writer.submit_change(note)

    assert result == "noted"
    assert (rows(engine, tokens), rows(engine, audit)) == (1, 1)


def test_a_change_that_refuses_leaves_nothing(engine: Engine, writer: GroupWriter) -> None:
    with pytest.raises(NotFound, match="no such card"):
        writer.submit_change(refuse)

    assert (rows(engine, tokens), rows(engine, audit)) == (0, 0)


def slip(connection: Connection) -> Applied[None]:
    connection.execute(insert(tokens).values(issuer="x", jti="z", request_hash=b"", expires_at=NOW))
    raise ZeroDivisionError


def say_nul(connection: Connection) -> Applied[None]:
    connection.execute(insert(tokens).values(issuer="x", jti="z", request_hash=b"", expires_at=NOW))
    return Applied(None, [an_event(object_id="a\0b")])


@pytest.mark.parametrize(("poisoned", "told"), [(slip, ZeroDivisionError), (say_nul, BadRequest)])
def test_a_change_that_fails_as_nobody_foresaw_fails_alone(
    engine: Engine, writer: GroupWriter, poisoned: Change[None], told: type[Exception]
) -> None:
    def submit(number: int) -> object:
        if number % 5 == 0:
            with pytest.raises(told):
                writer.submit_change(poisoned)
            return None
        return writer.submit(an_entry(hook_instance=str(number))).replayed

    with ThreadPoolExecutor(20) as threads:
        answered = list(threads.map(submit, range(60)))

    assert answered == [None if number % 5 == 0 else False for number in range(60)]
    assert (rows(engine, predictions), rows(engine, tokens)) == (48, 0)
    assert (writer.restarts, writer.healthy()) == (0, True)
    assert verify_chain(engine, keyring()) is None


def test_a_constraint_that_forbids_a_change_is_a_conflict(writer: GroupWriter) -> None:
    writer.submit_change(note)

    with pytest.raises(Conflict):
        writer.submit_change(note)


def test_a_failing_change_leaves_its_group_alone(engine: Engine, writer: GroupWriter) -> None:
    def outcome(number: int) -> object:
        try:
            return writer.submit_change(refuse) if number % 2 else writer.submit(an_entry())
        except CdsError as error:
            return error

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(outcome, range(32)))

    assert [isinstance(one, NotFound) for one in outcomes] == [bool(number % 2) for number in range(32)]
    assert (rows(engine, predictions), rows(engine, audit), rows(engine, tokens)) == (16, 16, 0)
    assert verify_chain(engine, keyring()) is None


def test_a_value_the_database_cannot_take_is_a_bad_request_or_conflict(engine: Engine, writer: GroupWriter) -> None:
    def broken(connection: Connection) -> Applied[None]:
        connection.execute(update(audit_head).values(seq=None))
        return Applied(None)

    with pytest.raises((BadRequest, Conflict)):
        writer.submit_change(broken)

    assert writer.submit(an_entry()) is not None


def test_a_retry_with_its_token_passes_and_any_other_use_does_not(engine: Engine, writer: GroupWriter) -> None:
    first = an_entry(token=a_use())
    writer.submit(first)

    retried = writer.submit(an_entry(hook_instance=first.hook_instance, token=a_use()))
    with pytest.raises(Unauthorized):
        writer.submit(an_entry(token=a_use(request_hash=b"other")))

    assert retried.replayed
    assert (rows(engine, predictions), rows(engine, tokens)) == (1, 1)


def test_tokens_are_told_apart_by_their_issuer(engine: Engine, writer: GroupWriter) -> None:
    writer.submit(an_entry(token=a_use()))

    writer.submit(an_entry(token=a_use(issuer="https://other", request_hash=b"other")))

    assert rows(engine, tokens) == 2


def test_one_token_for_many_requests_at_once_serves_one(engine: Engine, writer: GroupWriter) -> None:
    def outcome(number: int) -> str:
        try:
            writer.submit(an_entry(token=a_use(request_hash=bytes([number]))))
        except Unauthorized:
            return "refused"
        return "served"

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(outcome, range(8)))

    assert outcomes == ["refused"] * 7 + ["served"]
    assert (rows(engine, predictions), rows(engine, tokens)) == (1, 1)


def test_a_token_serves_reads_and_changes_once_too(engine: Engine, writer: GroupWriter) -> None:
    writer.submit_audit(an_event(), token=a_use())

    with pytest.raises(Unauthorized):
        writer.submit_change(note, token=a_use(request_hash=b"other"))

    assert (rows(engine, audit), rows(engine, tokens)) == (1, 1)


def test_a_row_is_added_once_and_the_database_says_which_time_it_was_new(engine: Engine, writer: GroupWriter) -> None:
    row = {"issuer": "x", "jti": "y", "request_hash": b"", "expires_at": NOW}

    def add(transaction: Connection) -> Applied[bool]:
        return Applied(add_missing(transaction, tokens, row))

    assert [writer.submit_change(add) for _ in range(3)] == [True, False, False]
    assert rows(engine, tokens) == 1
