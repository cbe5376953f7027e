"""Users and tokens as they are stored: what the door reads, and the changes commands make."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, insert, select, update

from cds_service.errors import Conflict, NotFound
from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied, Change
from cds_service.storage.sessions import reading
from cds_service.storage.tables import api_tokens, users

_encode = msgspec.json.Encoder().encode


class UserRow(msgspec.Struct, frozen=True, kw_only=True):
    """One person. The text of it has no hash."""

    name: str
    tenant: str
    environment: str
    role: str
    password_hash: str
    created_at: datetime
    created_by: str
    disabled_at: datetime | None = None

    def __repr__(self) -> str:
        """The name alone."""
        return f"UserRow(name={self.name!r})"


class TokenRow(msgspec.Struct, frozen=True, kw_only=True):
    """One token without its secret."""

    id: str
    secret_hash: bytes
    name: str
    tenant: str
    environment: str
    user_name: str | None
    scopes: str
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None = None

    def __repr__(self) -> str:
        """The id alone."""
        return f"TokenRow(id={self.id!r})"


def read_user(engine: Engine, name: str) -> UserRow | None:
    """The person of this name, None when there is none."""
    with reading(engine) as connection:
        row = connection.execute(select(users).where(users.c.name == name)).one_or_none()
    return None if row is None else UserRow(**row._mapping)


def read_users(engine: Engine) -> list[UserRow]:
    """Everybody, by name."""
    with reading(engine) as connection:
        rows = connection.execute(select(users).order_by(users.c.name)).all()
    return [UserRow(**row._mapping) for row in rows]


def read_token(engine: Engine, token_id: str) -> TokenRow | None:
    """The token of this id, None when there is none."""
    with reading(engine) as connection:
        row = connection.execute(select(api_tokens).where(api_tokens.c.id == token_id)).one_or_none()
    return None if row is None else TokenRow(**row._mapping)


def read_tokens(engine: Engine) -> list[TokenRow]:
    """Every token, the newest first."""
    with reading(engine) as connection:
        rows = connection.execute(select(api_tokens).order_by(api_tokens.c.created_at.desc(), api_tokens.c.id)).all()
    return [TokenRow(**row._mapping) for row in rows]


def add_user(user: UserRow) -> Change[None]:
    """Store the person; Conflict when the name is taken."""

    def change(connection: Connection) -> Applied[None]:
        if connection.execute(select(users.c.name).where(users.c.name == user.name)).first() is not None:
            raise Conflict("there is a user of this name", where=user.name)
        connection.execute(insert(users).values(msgspec.structs.asdict(user)))
        detail = {"role": user.role, "environment": user.environment}
        return Applied(None, [_event("user-add", user.created_at, user.created_by, user, detail)])

    return change


def change_user(name: str, values: dict[str, Any], *, action: str, at: datetime, by: str) -> Change[None]:
    """Change columns of one person; NotFound when there is none of this name."""

    def change(connection: Connection) -> Applied[None]:
        row = connection.execute(select(users).where(users.c.name == name)).one_or_none()
        if row is None:
            raise NotFound("there is no user of this name", where=name)
        connection.execute(update(users).where(users.c.name == name).values(values))
        shown = {key: value for key, value in values.items() if key == "role"}
        return Applied(None, [_event(action, at, by, UserRow(**row._mapping), shown)])

    return change


def add_token(token: TokenRow) -> Change[None]:
    """Store the token."""

    def change(connection: Connection) -> Applied[None]:
        connection.execute(insert(api_tokens).values(msgspec.structs.asdict(token)))
        detail = {"name": token.name, "user": token.user_name or "", "scopes": token.scopes}
        return Applied(None, [_event("token-create", token.created_at, token.created_by, token, detail)])

    return change


def revoke_token(token_id: str, *, at: datetime, by: str) -> Change[None]:
    """Refuse the token from now on; NotFound when there is none of this id. Twice is as once."""

    def change(connection: Connection) -> Applied[None]:
        row = connection.execute(select(api_tokens).where(api_tokens.c.id == token_id)).one_or_none()
        if row is None:
            raise NotFound("there is no token of this id", where=token_id)
        open_ones = (api_tokens.c.id == token_id) & api_tokens.c.revoked_at.is_(None)
        connection.execute(update(api_tokens).where(open_ones).values(revoked_at=at))
        return Applied(None, [_event("token-revoke", at, by, TokenRow(**row._mapping), {})])

    return change


def _event(action: str, at: datetime, by: str, what: UserRow | TokenRow, detail: dict[str, str]) -> AuditEvent:
    return AuditEvent(
        at=at,
        tenant=what.tenant,
        actor=by,
        action=action,
        object_type="user" if isinstance(what, UserRow) else "token",
        object_id=what.name if isinstance(what, UserRow) else what.id,
        detail=_encode(detail).decode(),
    )
