"""The clients file."""

from pathlib import Path

import pytest

from cds_service.domain.actor import LOCAL
from cds_service.errors import ConfigurationError
from cds_service.settings import Settings
from cds_service.settings.clients import clients_from_file

REFUSED = [
    pytest.param("[client.local]\nlanguage = 'fr'", "client.local.language: must be one of en, es", id="language"),
    pytest.param("[client.epic]\ntenant = 'a'", "client.epic: unknown", id="a client that cannot be registered yet"),
    pytest.param("[client.local]\nrole = 'admin'", "client.local.role: unknown", id="key"),
    pytest.param("[client.local]\ntenant = ''", "client.local.tenant: must be a text", id="empty tenant"),
    pytest.param("client = 3", "client: must be a table", id="no table"),
    pytest.param("[client", "not TOML", id="no TOML"),
]


def write(directory: Path, content: str) -> Path:
    path = directory / "clients.toml"
    path.write_text(content)
    return path


def test_the_local_client_has_the_tenant_and_language_it_was_given(tmp_path: Path) -> None:
    actor = clients_from_file(write(tmp_path, "[client.local]\ntenant = 'ward-7'\nlanguage = 'es'")).local

    assert (actor.tenant, actor.language, actor.environment) == ("ward-7", "es", LOCAL.environment)


def test_a_file_without_clients_changes_nothing(tmp_path: Path) -> None:
    assert clients_from_file(write(tmp_path, "")).local == LOCAL


@pytest.mark.parametrize(("content", "sentence"), REFUSED)
def test_a_file_that_will_not_do_is_refused_by_key(tmp_path: Path, content: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        clients_from_file(write(tmp_path, content))

    assert sentence in str(caught.value)


def test_a_missing_file_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"CDS_CLIENTS_FILE: .*cannot be read"):
        Settings.from_environment({"CDS_CLIENTS_FILE": "/nowhere/clients.toml", "CDS_SECRET_KEY": "5c1f" * 12})
