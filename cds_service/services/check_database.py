"""Whether a database will do for these settings: its schema for this code, its audit log for the secret key."""

from __future__ import annotations

from cds_service.settings import Settings
from cds_service.storage.audit_log import check_seal
from cds_service.storage.identity import Keyring
from cds_service.storage.schema import check_revision
from cds_service.storage.sessions import open_engine


def check_database(settings: Settings) -> None:
    """Refuse a schema or a secret key that will not do: ConfigurationError; Unavailable when it cannot be asked."""
    engine = open_engine(settings.database_url)
    check_revision(engine)
    check_seal(engine, Keyring(settings.secret_key, settings.secret_key_previous))
