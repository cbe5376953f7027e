"""Tokens that were used: one `jti` serves one request, however often that request is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Dialect, bindparam, delete, select
from sqlalchemy.engine.interfaces import DBAPICursor

from cds_service.errors import Unauthorized
from cds_service.storage.statements import DriverStatement, InsertRows, Row
from cds_service.storage.tables import tokens, utc_text

_KEY = ("issuer", "jti")


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
        old = delete(tokens).where(tokens.c.expires_at < bindparam("before"))
        self._forget = DriverStatement(old, ("before",), dialect)

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
            raise Unauthorized("the token was used before")

    def forget(self, cursor: DBAPICursor, before: datetime) -> None:
        """Delete what expired before this moment: such a token is refused without looking here."""
        self._forget.run(cursor, (utc_text(before),))
