"""Sessions of people at a browser that were signed out of before they ended by themselves."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Engine, delete, select

from cds_service.storage.audit_log import AuditEvent
from cds_service.storage.change import Applied, Change, add_missing
from cds_service.storage.sessions import reading
from cds_service.storage.tables import ended_sessions


def end_session(session_id: str, *, until: datetime, event: AuditEvent) -> Change[None]:
    """Let no cookie of this session count any more, until it would be over anyway; rows that did their work go."""

    def change(connection: Connection) -> Applied[None]:
        connection.execute(delete(ended_sessions).where(ended_sessions.c.until < event.at))
        is_new = add_missing(connection, ended_sessions, {"id": session_id, "until": until})
        return Applied(None, [event] if is_new else [])

    return change


def is_ended(engine: Engine, session_id: str) -> bool:
    """Whether somebody signed out of this session."""
    with reading(engine) as connection:
        query = select(ended_sessions.c.id).where(ended_sessions.c.id == session_id)
        return connection.execute(query).first() is not None
