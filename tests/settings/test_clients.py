"""The clients file."""

from dataclasses import replace
from pathlib import Path

import pytest

from cds_service.domain.actor import LOCAL
from cds_service.errors import ConfigurationError
from cds_service.settings import Settings
from cds_service.settings.clients import clients_from_file

EPIC = """
[client.epic]
issuer = 'https://ehr.example.org'
environment = 'test'
tenant = 'a'
jwks = 'k.json'
"""

SMART = "smart = {{ iss = '{}', client_id = 'cds'{} }}\n"

REFUSED = [
    pytest.param("[client.local]\nlanguage = 'fr'", "client.local.language: must be one of en, es", id="language"),
    pytest.param("[client.epic]\ntenant = 'a'", "client.epic.issuer: required", id="no issuer"),
    pytest.param(EPIC.replace("tenant = 'a'", ""), "client.epic.tenant: say whose", id="nobody's patients"),
    pytest.param(EPIC.replace("jwks = 'k.json'", ""), "client.epic.jwks: name the file", id="no keys"),
    pytest.param(EPIC.replace("'test'", "'live'"), "environment: must be one of production, test", id="environment"),
    pytest.param(EPIC + "jku = 'http://e/keys'", "client.epic.jku: must be https", id="keys over http"),
    pytest.param(
        EPIC + "jku = ['https://e/k', 'http://e/k']", "client.epic.jku: must be https", id="one set over http"
    ),
    pytest.param(EPIC.replace("jwks = 'k.json'", "jku = []"), "client.epic.jwks: name the file", id="no key address"),
    pytest.param(EPIC + "fhir = 'http://e/fhir'", "client.epic.fhir: must be https", id="FHIR over http"),
    pytest.param(EPIC + "fhir = ['https://a:b@e/fhir']", "client.epic.fhir: must be https", id="FHIR with a password"),
    pytest.param(EPIC + "fhir = 3", "client.epic.fhir: must be an address", id="FHIR a number"),
    pytest.param(EPIC + "fhir_networks = ['10.1.2.3/8']", "fhir_networks: must be networks", id="network"),
    pytest.param(EPIC + "tenants = {}", "client.epic.tenants: must be a table", id="no tenants"),
    pytest.param(
        EPIC + EPIC.replace("epic", "cerner"), "client.cerner.issuer: epic has the same", id="one issuer twice"
    ),
    pytest.param(
        EPIC + EPIC.replace("epic", "cerner").replace("https://ehr", "https://other").replace("'test'", "'production'"),
        "client.cerner.environment: tenant a is test; give test data a tenant of its own",
        id="a tenant that is both",
    ),
    pytest.param(
        EPIC
        + "tenants = { T = 'b' }\n[mllp.peer.gate]\ntenant = 'b'\naddress = '10.0.0.1'\nenvironment = 'production'",
        "mllp.peer.gate.environment: tenant b is test",
        id="a message sender's tenant that is both",
    ),
    pytest.param(
        EPIC.replace("'test'", "'production'") + "[client.local]\ntenant = 'a'",
        "client.local.tenant: tenant a is production",
        id="the local client's tenant that is both",
    ),
    pytest.param("[client.local]\nrole = 'admin'", "client.local.role: unknown", id="key"),
    pytest.param("[client.local]\ntenant = ''", "client.local.tenant: must be a text", id="empty tenant"),
    pytest.param(EPIC + "smart = { client_id = 'x' }", "client.epic.smart.iss: required", id="launched by nobody"),
    pytest.param(EPIC + "smart = { iss = 'https://e' }", "client.epic.smart.client_id: required", id="no app"),
    pytest.param(EPIC + SMART.format("http://e", ""), "client.epic.smart.iss: must be https", id="launch over http"),
    pytest.param(
        EPIC + SMART.format("https://e", ", token = 'https://e/t'"), "smart.token: give all of", id="half the endpoints"
    ),
    pytest.param(
        EPIC + SMART.format("https://e", ", scopes = 'launch openid'"), "smart.scopes: must hold", id="nobody asked for"
    ),
    pytest.param(
        EPIC + SMART.format("https://e", ", tenant = 'b'"), "smart.tenant: is not one of", id="another's patients"
    ),
    pytest.param(
        EPIC.replace("tenant = 'a'", "tenants = { T = 'a' }") + SMART.format("https://e", ""),
        "smart.tenant: say whose",
        id="one of several tenants",
    ),
    pytest.param(
        EPIC
        + SMART.format("https://e", "")
        + EPIC.replace("epic", "cerner").replace("https://ehr", "https://other")
        + SMART.format("https://e", ""),
        "client.cerner.smart.iss: epic has the same",
        id="one record twice",
    ),
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


def test_a_client_stands_for_the_tenant_its_token_names(tmp_path: Path) -> None:
    clients = clients_from_file(write(tmp_path, EPIC + "tenants = { T1 = 'north' }\nlanguage = 'es'"))
    epic = clients.http["https://ehr.example.org"]

    default, named = epic.actor(None), epic.actor("T1")

    assert default is not None
    assert named is not None
    assert (default.tenant, named.tenant, named.environment, named.language) == ("a", "north", "test", "es")
    assert epic.actor("north") is None


@pytest.mark.parametrize(
    ("written", "named", "found"),
    [
        pytest.param("jku = 'https://e/1'", "https://e/1", ["https://e/1"], id="the one"),
        pytest.param("jku = 'https://e/1'", "https://e/1/", [], id="almost the one"),
        pytest.param("jku = ['https://e/1', 'https://e/2']", "https://e/2", ["https://e/2"], id="one of two"),
        pytest.param("jku = ['https://e/1', 'https://e/2']", None, ["https://e/1", "https://e/2"], id="none named"),
        pytest.param("jwks = 'k.json'", "https://e/1", [], id="a file alone"),
        pytest.param("jwks = 'k.json'", None, [None], id="a file, none named"),
    ],
)
def test_a_token_names_an_address_of_keys_that_is_listed_or_none(
    tmp_path: Path, written: str, named: str | None, found: list[str | None]
) -> None:
    clients = clients_from_file(write(tmp_path, EPIC.replace("jwks = 'k.json'", written)))

    assert [source.address for source in clients.http["https://ehr.example.org"].keys_at(named)] == found


def test_each_client_has_its_own_fhir_servers(tmp_path: Path) -> None:
    more = "fhir = 'https://ehr.example.org/fhir'\nfhir_networks = '10.1.0.0/16'"
    clients = clients_from_file(
        write(tmp_path, EPIC + more + "\n[client.local]\nfhir = ['https://local.example/fhir']")
    )
    actor = clients.http["https://ehr.example.org"].actor(None)

    assert actor is not None
    assert list(clients.fhir_rule(actor).bases) == ["https://ehr.example.org/fhir"]
    assert list(clients.fhir_rule(clients.local).bases) == ["https://local.example/fhir"]
    assert list(clients.fhir_rule(replace(actor, name="other")).bases) == []


def test_an_ehr_is_known_by_the_address_it_launches_from_as_it_is_written(tmp_path: Path) -> None:
    clients = clients_from_file(write(tmp_path, EPIC + SMART.format("https://ehr.example.org/fhir", "")))
    caller = clients.http["https://ehr.example.org"].actor(None)
    assert caller is not None

    assert clients.launched_from("https://ehr.example.org/fhir") == clients.named("epic")
    assert clients.launched_from("https://ehr.example.org/fhir/") is None
    assert (clients.launches(caller), clients.launches(replace(caller, tenant="b"))) == (True, False)
    assert not clients.launches(clients.local)


def test_http_on_loopback_is_for_development(tmp_path: Path) -> None:
    path = write(tmp_path, "[client.local]\nfhir = 'http://127.0.0.1:9/fhir'")

    assert list(clients_from_file(path, allow_http=True).local_fhir.bases) == ["http://127.0.0.1:9/fhir"]
    with pytest.raises(ConfigurationError, match="must be https"):
        clients_from_file(path)
