"""The modes of tenants: every switch is a row, the last one holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, func, insert, select

from cds_service.domain.mode import Mode
from cds_service.storage.change import Transaction
from cds_service.storage.sessions import reading
from cds_service.storage.tables import modes


@dataclass(frozen=True, slots=True)
class ModeSwitch:
    """One switch of a tenant's mode: to what, why, by whom and when."""

    tenant: str
    mode: Mode
    reason: str
    actor: str
    at: datetime


_COLUMNS = tuple(modes.c[name] for name in ("tenant", "mode", "reason", "actor", "at"))
_LAST = select(func.max(modes.c.seq)).group_by(modes.c.tenant)


def read_modes(engine: Engine) -> dict[str, ModeSwitch]:
    """The switch in force by tenant; a tenant that was never switched is not there, and live."""
    with reading(engine) as connection:
        rows = connection.execute(select(*_COLUMNS).where(modes.c.seq.in_(_LAST))).all()
    return {row.tenant: ModeSwitch(row.tenant, Mode(row.mode), row.reason, row.actor, row.at) for row in rows}


def mode_history(connection: Connection, tenant: str) -> list[ModeSwitch]:
    """Every switch of the tenant, oldest first."""
    query = select(*_COLUMNS).where(modes.c.tenant == tenant).order_by(modes.c.seq)
    return [ModeSwitch(row.tenant, Mode(row.mode), row.reason, row.actor, row.at) for row in connection.execute(query)]


def add_switch(transaction: Transaction, switch: ModeSwitch) -> None:
    """Append the switch."""
    transaction.execute(insert(modes).values({name: getattr(switch, name) for name in ModeSwitch.__slots__}))
