"""Tokens that were used: one `jti` serves one request, however often that request is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Dialect, bindparam, delete, literal_column, select, tuple_
from sqlalchemy.engine.interfaces import DBAPICursor

from cds_service.errors import Unauthorized
from cds_service.storage.statements import DriverStatement, InsertRows, Row
from cds_service.storage.tables import tokens, utc_text

_KEY = ("issuer", "jti")

# No token lives this long (cdshooks/client_token.py takes 20 minutes and 30 seconds of leeway): one that ends this
# much before another that is good now ended long ago. So forgetting needs no clock.
_SPAN = timedelta(hours=1)
# Chosen by us: once in so many uses up to four times as many rows go, a few milliseconds within one transaction, so
# that the table never grows beyond what an hour brings.
FORGET_EVERY = 256
FORGET_LIMIT = 4 * FORGET_EVERY


class TokenUse(msgspec.Struct, frozen=True, kw_only=True):
    """One use of a token. `request_hash` is of address and body: a transport retry has the same, any other use not."""

    issuer: str
    jti: str
    request_hash: bytes
    expires_at: datetime

    def row(self) -> Row:
        """The row in the order of the table's columns."""
        return self.issuer, self.jti, self.request_hash, utc_text(self.expires_at)


class TokenLog:
    """Notes uses inside the writer's transaction."""

    def __init__(self, dialect: Dialect) -> None:
        self._insert = InsertRows(tokens, dialect, key=_KEY)
        query = select(tokens.c.request_hash).where(*(tokens.c[name] == bindparam(name) for name in _KEY))
        self._find = DriverStatement(query, _KEY, dialect)
        key = [tokens.c[name] for name in _KEY]
        ended = select(*key).where(tokens.c.expires_at < bindparam("before"))
        some = ended.limit(literal_column(str(FORGET_LIMIT))).offset(literal_column("0"))
        self._forget = DriverStatement(delete(tokens).where(tuple_(*key).in_(some)), ("before",), dialect)
        self._noted = 0

    def note_together(self, cursor: DBAPICursor, uses: Sequence[TokenUse]) -> bool:
        """Whether every token was new, and is noted now."""
        return self._insert.run(cursor, [use.row() for use in uses]) == len(uses)

    def note(self, cursor: DBAPICursor, use: TokenUse) -> None:
        """Note one use; Unauthorized when the token was used for another request."""
        if self._insert.run(cursor, [use.row()]):
            return
        self._find.run(cursor, (use.issuer, use.jti))
        found = cursor.fetchone()
        if found is None or bytes(found[0]) != use.request_hash:
            raise Unauthorized("replay")

    def forget(self, cursor: DBAPICursor, uses: Sequence[TokenUse]) -> None:
        """Now and then delete tokens that ended long before these do: they are refused without looking here."""
        self._noted += len(uses)
        if self._noted >= FORGET_EVERY:
            self._noted = 0
            self._forget.run(cursor, (utc_text(min(use.expires_at for use in uses) - _SPAN),))
