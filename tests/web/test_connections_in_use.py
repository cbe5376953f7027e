"""THREATS 76 over HTTP: while every connection to the database is in use, who asks is told so, and soon."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from time import monotonic

from sqlalchemy.exc import TimeoutError as PoolTimeout

from cds_service.domain.codes import CodeTables
from cds_service.inference.predictor import Predictor
from cds_service.storage.sessions import BUSY_TIMEOUT_S
from tests.conftest import Service, started
from tests.databases import Database
from tests.web.calls import fixture, post

IN_TIME_S = BUSY_TIMEOUT_S + 1.0  # on a machine where others run as well


def hold_all(service: Service, held: ExitStack) -> None:
    """Take connections from the pool until it has none."""
    while True:
        try:
            held.enter_context(service.runtime.engine.connect())
        except PoolTimeout:
            return


def test_76_a_reader_is_told_in_time_and_writers_go_on(
    tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, each_database: Database
) -> None:
    """The writer has a connection of its own: a call that only stores is answered all the while."""
    with started(tmp_path, empty_database, predictor, tables, **each_database.settings) as service, ExitStack() as held:
        stored = post(service.client, fixture())
        address = f"/predictions/{stored.get_json()['cards'][0]['uuid']}"
        hold_all(service, held)
        begun = monotonic()
        reply = service.client.get(address)
        seconds = monotonic() - begun

        assert (reply.status_code, reply.mimetype) == (503, "application/problem+json")
        assert "Retry-After" in reply.headers
        assert seconds < IN_TIME_S
        assert post(service.client, fixture()).status_code == 200
        held.close()
        assert service.client.get(address).status_code == 200
