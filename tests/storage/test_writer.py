from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import RFC_4122, uuid4

import pytest
from sqlalchemy import Connection, Engine, func, select

from cds_service.errors import BadRequest, CdsError, Conflict, Unavailable
from cds_service.rounds import Rounds
from cds_service.storage import writer as writer_module
from cds_service.storage.audit_log import verify_chain
from cds_service.storage.change import Applied, JointChange
from cds_service.storage.group import GroupCommit
from cds_service.storage.identity import IdentityRows
from cds_service.storage.link import WriterLink
from cds_service.storage.pending import Pending, pending_prediction
from cds_service.storage.prediction_log import (
    PredictionEntry,
    StoredReply,
    find_reply,
    new_prediction_id,
    read_prediction,
)
from cds_service.storage.tables import audit, identities, predictions
from cds_service.storage.writer import GroupWriter
from tests.databases import Database
from tests.storage.builders import NOW, a_writer, an_entry, an_event, eventually, keyring


def count(engine: Engine, table: object) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[call-overload]


def test_everything_of_an_entry_is_stored_before_submit_returns(engine: Engine, writer: GroupWriter) -> None:
    entry = an_entry()

    reply = writer.submit(entry)

    stored = read_prediction(engine, entry.id, "north")
    assert reply == StoredReply(entry.id, entry.reply, entry.request_hash, replayed=False)
    assert stored is not None
    assert (stored.snapshot, stored.outcome) == (entry.snapshot, entry.outcome)
    assert stored.created_at == NOW
    assert stored.created_at.utcoffset().total_seconds() == 0  # type: ignore[union-attr]
    assert (count(engine, audit), count(engine, identities)) == (1, 1)


def test_another_tenants_prediction_is_not_there(engine: Engine, writer: GroupWriter) -> None:
    entry = an_entry()
    writer.submit(entry)

    assert read_prediction(engine, entry.id, "south") is None


def test_a_repeat_gets_the_stored_reply_and_no_second_row(engine: Engine, writer: GroupWriter) -> None:
    first = an_entry(reply=b"first")
    repeat = an_entry(hook_instance=first.hook_instance, reply=b"second")
    writer.submit(first)

    reply = writer.submit(repeat)

    assert (reply.id, reply.reply, reply.replayed) == (first.id, b"first", True)
    assert count(engine, predictions) == 1
    assert find_reply(engine, "north", "vitals-risk", str(first.hook_instance)) == reply


def test_the_same_key_with_another_request_is_a_conflict(engine: Engine, writer: GroupWriter) -> None:
    first = an_entry()
    writer.submit(first)

    with pytest.raises(Conflict, match="hookInstance"):
        writer.submit(an_entry(hook_instance=first.hook_instance, request_hash=b"other"))

    assert count(engine, predictions) == 1


@pytest.mark.parametrize("change", [{"tenant": "south"}, {"service": "rare-disease"}])
def test_a_key_counts_within_its_tenant_and_service(writer: GroupWriter, change: dict[str, str]) -> None:
    first = an_entry()
    writer.submit(first)

    reply = writer.submit(an_entry(hook_instance=first.hook_instance, request_hash=b"other", **change))

    assert not reply.replayed


def test_entries_without_a_key_are_never_repeats(engine: Engine, writer: GroupWriter) -> None:
    for _ in range(2):
        writer.submit(an_entry(hook_instance=None))

    assert count(engine, predictions) == 2


def test_the_same_request_from_many_lines_at_once_is_stored_once(engine: Engine, writer: GroupWriter) -> None:
    entries = [an_entry(hook_instance="one", reply=str(i).encode()) for i in range(16)]

    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(writer.submit, entries))

    assert len({(reply.id, reply.reply) for reply in replies}) == 1
    assert [reply.replayed for reply in replies].count(False) == 1
    assert count(engine, predictions) == 1
    assert verify_chain(engine, keyring()) is None


def commit_group(engine: Engine, entries: list[PredictionEntry]) -> list[Pending]:
    """One group of exactly these entries, as the writer's thread would commit it."""
    rows = IdentityRows(keyring())
    group = [pending_prediction(entry, rows) for entry in entries]
    link = WriterLink(engine)
    GroupCommit(engine.dialect, keyring(), rows).write(link, group)
    link.close()
    return group


def test_a_failing_entry_leaves_its_group_alone(engine: Engine) -> None:
    first = an_entry(hook_instance="taken")
    same_id = an_entry(id=first.id)
    other_hash = an_entry(hook_instance="taken", request_hash=b"other")
    no_reply = an_entry(reply=None)
    repeat = an_entry(hook_instance="taken")

    group = commit_group(engine, [first, same_id, other_hash, no_reply, repeat, an_entry()])

    assert [type(pending.error) for pending in group] == [
        type(None),
        Conflict,
        Conflict,
        Conflict,
        type(None),
        type(None),
    ]
    assert group[4].reply is not None
    assert group[4].reply.id == first.id
    assert count(engine, predictions) == 2
    assert count(engine, audit) == 3
    assert verify_chain(engine, keyring()) is None


@pytest.mark.parametrize("size", [1, 2, 3, 63, 64, 65, 128])
def test_groups_of_every_size_are_stored_whole(engine: Engine, size: int) -> None:
    group = commit_group(engine, [an_entry() for _ in range(size)])

    assert all(pending.error is None for pending in group)
    assert (count(engine, predictions), count(engine, audit), count(engine, identities)) == (size, size, 1)


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"], ids=["nul", "lone surrogate"])
@pytest.mark.parametrize("field", ["tenant", "hook_instance", "actor"])
def test_text_no_database_takes_is_refused_by_name(writer: GroupWriter, field: str, text: str) -> None:
    with pytest.raises(BadRequest):
        writer.submit(an_entry(**{field: text}))


def test_an_audit_event_is_committed_before_a_read_leaves(engine: Engine, writer: GroupWriter) -> None:
    writer.submit_audit(an_event(action="read", object_id="77"))

    with engine.connect() as connection:
        row = connection.execute(select(audit)).one()
    assert (row.seq, row.action, row.object_id, row.at) == (1, "read", "77", NOW)


def test_a_full_queue_is_said_at_once(engine: Engine, writer: GroupWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "QUEUE_LIMIT", 0)

    with pytest.raises(Unavailable, match="waiting") as caught:
        writer.submit(an_entry())

    assert caught.value.retry_after_s > 0


def test_draining_commits_what_is_queued_and_refuses_what_comes_after(engine: Engine) -> None:
    writer = GroupWriter(engine, keyring())
    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(writer.submit, an_entry()) for _ in range(200)]
        assert eventually(lambda: any(future.done() for future in futures))
        drained = writer.drain(10)

    with pytest.raises(Unavailable, match="shutting down"):
        writer.submit(an_entry())
    stored = [future for future in futures if future.exception() is None]
    assert drained
    assert count(engine, predictions) == len(stored)
    assert not writer.healthy()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_thread_is_seen_counted_and_started_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with a_writer(engine) as writer:
        assert eventually(writer.healthy)
        dying = writer._thread
        with monkeypatch.context() as broken:
            broken.setattr(GroupCommit, "write", lambda *_: 1 / 0)
            with pytest.raises(Unavailable):
                writer.submit(an_entry())
        seen = not writer.healthy()

        writer.submit(an_entry())
        dying.join(5)  # what it died of is reported before it ends, so within this test

        assert seen
        assert writer.restarts == 1
        assert writer.healthy()


def test_a_caller_waits_no_longer_than_the_deadline(database: Database, engine: Engine) -> None:
    key = str(uuid4())
    with a_writer(engine, deadline_s=0.05) as writer:
        assert eventually(writer.healthy)
        with database.blocked(), pytest.raises(Unavailable, match="in time"):
            writer.submit(an_entry())
        assert eventually(lambda: _accepted(writer, key))

    assert find_reply(engine, "north", "vitals-risk", key) is not None


def _accepted(writer: GroupWriter, key: str) -> bool:
    try:
        writer.submit(an_entry(hook_instance=key))
    except CdsError:
        return False
    return True


def test_new_ids_are_uuids_of_version_7_that_grow_with_time() -> None:
    ids = [new_prediction_id(NOW + timedelta(milliseconds=number)) for number in range(50)]

    assert ids == sorted(ids)
    assert {(one.version, one.variant) for one in ids} == {(7, RFC_4122)}
    assert new_prediction_id(NOW) != new_prediction_id(NOW)


def test_reprs_hold_nothing_of_the_patient(engine: Engine, writer: GroupWriter) -> None:
    entry = an_entry(reply=b"Ada Ejemplo 4711")
    reply = writer.submit(entry)
    stored = read_prediction(engine, entry.id, "north")

    assert "Ada" not in f"{entry!r} {reply!r} {stored!r}"


def test_changes_made_one_by_one_fill_a_group_sooner_than_entries_do(
    writer: GroupWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "ALONE_LIMIT", 3)
    sizes: list[int] = []
    commit = GroupCommit.write

    def counted(self: GroupCommit, link: WriterLink, group: Sequence[Pending]) -> None:
        sizes.append(len(group))
        commit(self, link, group)

    monkeypatch.setattr(GroupCommit, "write", counted)
    begun, busy, settled = threading.Event(), threading.Event(), threading.Semaphore(0)

    def hold(_: Connection) -> Applied[None]:
        begun.set()
        assert busy.wait(10)
        return Applied(None)

    def change(_: Connection) -> Applied[None]:
        return Applied(None)

    joint = JointChange(change, None, lambda _, rows: [Applied(None) for _ in rows])
    first = writer.begin_change(hold, settled.release)
    assert begun.wait(10)
    results = [first, *(writer.begin_change(one, settled.release) for one in [change] * 7 + [joint] * 5)]
    busy.set()
    for _ in results:
        assert settled.acquire(timeout=10)

    assert [result() for result in results] == [None] * len(results)
    assert sizes == [1, 3, 3, 6]


def test_calls_of_one_round_are_queued_together_however_long_each_takes_to_get_there(
    writer: GroupWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    queue, all_here = writer._queue, threading.Event()

    class Seen:
        def __getattr__(self, name: str) -> object:
            return getattr(queue, name)

        def put(self, pending: Pending) -> None:
            seen.append("queued")
            queue.put(pending)

    def call() -> None:
        seen.append("here")
        writer.submit(an_entry())
        seen.append("answered")

    monkeypatch.setattr(writer, "_queue", Seen())
    rounds = Rounds("test-round")
    rounds.begin(lambda: all_here.wait(10))
    for _ in range(4):
        rounds.begin(call)
    all_here.set()
    rounds.end(10.0)

    assert seen == ["here"] * 4 + ["queued"] * 4 + ["answered"] * 4
