from __future__ import annotations

import pytest
from sqlalchemy import Engine

from cds_service.storage.audit_log import verify_chain
from cds_service.storage.identity import Keyring
from cds_service.storage.sessions import for_writing
from cds_service.storage.writer import GroupWriter
from tests.storage.builders import an_event, keyring

COLUMNS = "seq, at, tenant, actor, action, object_type, object_id, detail, prev_hash, hash"
TAMPERINGS = {
    "first row changed": ("UPDATE audit SET actor = 'nobody' WHERE seq = 1", 1),
    "row changed": ("UPDATE audit SET detail = 'changed' WHERE seq = 5", 5),
    "last row changed": ("UPDATE audit SET action = 'none' WHERE seq = 9", 9),
    "time changed": ("UPDATE audit SET at = '2026-03-14T08:40:00.000001+00:00' WHERE seq = 3", 3),
    "hash changed": ("UPDATE audit SET hash = {zeros} WHERE seq = 4", 4),
    "row removed": ("DELETE FROM audit WHERE seq = 4", 4),
    "first row removed": ("DELETE FROM audit WHERE seq = 1", 1),
    "tail cut": ("DELETE FROM audit WHERE seq > 6", 7),
    "everything removed": ("DELETE FROM audit", 1),
    "row appended": (f"INSERT INTO audit SELECT 10, {COLUMNS[5:]} FROM audit WHERE seq = 9", 10),
    "row before the first": (f"INSERT INTO audit SELECT 0, {COLUMNS[5:]} FROM audit WHERE seq = 9", 1),
    "two rows exchanged": ("UPDATE audit SET seq = CASE seq WHEN 2 THEN -3 ELSE -2 END WHERE seq IN (2, 3)", 1),
    "head forgotten": ("DELETE FROM audit_head", 10),
    "head set back": ("UPDATE audit_head SET seq = 6, hash = (SELECT hash FROM audit WHERE seq = 6)", 7),
    "head reset": ("UPDATE audit_head SET seq = 0, hash = {zeros}, seal = {empty}", 1),
}
TAIL_AND_HEAD = (
    "DELETE FROM audit WHERE seq > 6",
    "UPDATE audit_head SET seq = 6, hash = (SELECT hash FROM audit WHERE seq = 6)",
)


@pytest.fixture
def chain(engine: Engine, writer: GroupWriter) -> Engine:
    for number in range(9):
        writer.submit_audit(an_event(object_id=str(number)))
    return engine


def tamper(engine: Engine, *statements: str) -> None:
    blob = {"sqlite": "x'{}'", "postgresql": "'\\x{}'"}[engine.dialect.name]
    with for_writing(engine).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement.format(zeros=blob.format("00" * 32), empty=blob.format("")))


def test_an_untouched_chain_is_whole(chain: Engine) -> None:
    assert verify_chain(chain, keyring()) is None


def test_an_empty_chain_is_whole(engine: Engine) -> None:
    assert verify_chain(engine, keyring()) is None


@pytest.mark.parametrize(("statement", "broken"), TAMPERINGS.values(), ids=TAMPERINGS)
def test_tampering_is_found_where_it_begins(chain: Engine, statement: str, broken: int) -> None:
    tamper(chain, statement)

    assert verify_chain(chain, keyring()) == broken


def test_a_cut_tail_with_a_matching_head_is_found_by_the_seal(chain: Engine) -> None:
    tamper(chain, *TAIL_AND_HEAD)

    assert verify_chain(chain, keyring()) is not None


def test_another_key_does_not_vouch_for_the_chain(chain: Engine) -> None:
    assert verify_chain(chain, Keyring("another secret, also long enough to be one")) is not None


def test_a_planted_row_does_not_stop_the_service_and_stays_found(chain: Engine, writer: GroupWriter) -> None:
    tamper(chain, TAMPERINGS["row appended"][0])

    writer.submit_audit(an_event())

    assert verify_chain(chain, keyring()) == 10


def test_the_chain_goes_on_over_a_restart(chain: Engine, writer: GroupWriter) -> None:
    writer.drain()
    second = GroupWriter(chain, keyring())
    second.submit_audit(an_event())
    second.drain()

    assert verify_chain(chain, keyring()) is None


def test_a_long_chain_is_read_in_batches(engine: Engine, writer: GroupWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.storage.audit_log._BATCH", 4)
    for _ in range(9):
        writer.submit_audit(an_event())

    assert verify_chain(engine, keyring()) is None
