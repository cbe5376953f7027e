"""Runs the migrations on the connection it is given, or on CDS_DATABASE_URL when called by the alembic command."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection

from cds_service.storage.sessions import for_writing, open_engine
from cds_service.storage.tables import metadata


def run(connection: Connection) -> None:
    """Apply the steps alembic was asked for."""
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    engine = open_engine(os.environ.get("CDS_DATABASE_URL", "sqlite:///var/cds.db"), create=True)
    with for_writing(engine).begin() as opened:
        run(opened)
    engine.dispose()
