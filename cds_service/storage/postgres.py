"""PostgreSQL: how its connections are opened, and the limits no call on them can outlast."""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from psycopg import pq
from psycopg.abc import PQGen
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Dialect

RV = TypeVar("RV")

DRIVER = "postgresql+psycopg"

# Chosen by us. A process holds at most POOL + OVERFLOW + 1 (its writer's) connections: PostgreSQL's usual
# hundred serve eight processes. psycopg rounds a connect timeout below 2 s up to 2.
POOL = 5
OVERFLOW = 5
CONNECT_TIMEOUT_S = 2
# A transaction left open by a process that was stopped holds the head of the audit chain: it is ended soon.
IDLE_IN_TRANSACTION_S = 2.0
# How much longer a statement may take than its wait for a lock, and an answer than its statement.
GRACE_S = 0.1


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that gives up on an answer by itself.

    The server's own timeouts do not help where the path to it stalls: its messages do not arrive either, and a
    proxy in between may acknowledge ours for ever.
    """

    answer_limit_s = 1.0

    def raw_cursor(self) -> psycopg.RawCursor[Any]:
        """A cursor for SQL with the server's own marks, `$1`."""
        return psycopg.RawCursor(self)

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """What the exchange with the server comes to; past the limit the connection is closed and the call fails."""
        try:
            return super().wait(gen, interval, self.answer_limit_s if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.status == pq.ConnStatus.OK and self.pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
                self.close()
                raise psycopg.errors.ConnectionTimeout("the server did not answer in time") from None
            raise


def open_postgres(url: URL, *, lock_timeout_s: float, statement_timeout_s: float | None) -> Engine:
    """An engine whose every wait ends: for a connection, a lock, a statement and an answer, in this order."""
    statement_timeout_s = statement_timeout_s or lock_timeout_s + GRACE_S
    engine = create_engine(
        url.set(drivername=DRIVER),
        connect_args=_connect_args(url, lock_timeout_s, statement_timeout_s),
        pool_size=POOL,
        max_overflow=OVERFLOW,
        pool_timeout=lock_timeout_s,
        pool_use_lifo=True,
        use_native_hstore=False,
        hide_parameters=True,
    )

    def connect(_dialect: Dialect, _entry: object, arguments: list[Any], named: dict[str, Any]) -> BoundedConnection:
        connection = BoundedConnection.connect(*arguments, **named)
        connection.answer_limit_s = statement_timeout_s + GRACE_S
        return connection

    event.listen(engine, "do_connect", connect)
    return engine


def _connect_args(url: URL, lock_timeout_s: float, statement_timeout_s: float) -> dict[str, Any]:
    """What libpq and the server are told; options of the URL's own stay in force beside ours."""
    limits = {
        "lock_timeout": lock_timeout_s,
        "statement_timeout": statement_timeout_s,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_S,
    }
    options = [f"-c {name}={int(seconds * 1000)}" for name, seconds in limits.items()]
    return {
        "application_name": "cds",
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": int(statement_timeout_s * 1000),
        "keepalives_idle": 10,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "options": " ".join([*_given_options(url), *options]),
    }


def _given_options(url: URL) -> tuple[str, ...]:
    given = url.query.get("options", ())
    return (given,) if isinstance(given, str) else given
