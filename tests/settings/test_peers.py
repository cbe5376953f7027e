"""Senders of HL7 v2 over MLLP: the table `mllp` of the clients file, and what it must agree with."""

from dataclasses import fields
from ipaddress import ip_address
from pathlib import Path

import pytest

from cds_service.errors import ConfigurationError
from cds_service.settings import Settings
from cds_service.settings.clients import clients_from_file
from cds_service.settings.peers import Mllp, MllpLimits

KEY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
TWO = """
[mllp.peer.rhapsody]
address = ["10.1.2.0/24", "fd00::7"]
tenant = "north"
environment = "production"
language = "es"

[mllp.peer.ward-7]
certificate = "ward-7.example.org"
tenant = "south"
"""
ONE = "[mllp.peer.engine]\naddress = '10.0.0.1'\ntenant = 'north'\n"


def read(directory: Path, content: str) -> Mllp:
    path = directory / "clients.toml"
    path.write_text(content)
    return clients_from_file(path).mllp


def settings(directory: Path, content: str, **more: str) -> Settings:
    path = directory / "clients.toml"
    path.write_text(content)
    return Settings.from_environment({"CDS_SECRET_KEY": KEY, "CDS_CLIENTS_FILE": str(path), **more})


def test_senders_have_the_tenant_environment_and_language_of_the_file(tmp_path: Path) -> None:
    first, second = read(tmp_path, TWO).peers

    assert (first.actor.name, first.actor.tenant, first.actor.environment) == ("rhapsody", "north", "production")
    assert (second.actor.name, second.actor.tenant, second.actor.environment) == ("ward-7", "south", "test")
    assert (first.actor.language, second.actor.language) == ("es", None)


@pytest.mark.parametrize(
    ("address", "may"), [("10.1.2.77", True), ("10.1.3.1", False), ("fd00::7", True), ("fd00::8", False)]
)
def test_a_sender_is_known_by_its_network(tmp_path: Path, address: str, may: bool) -> None:
    assert read(tmp_path, TWO).peers[0].may_call_from(ip_address(address)) is may


def test_a_sender_is_known_by_the_name_in_its_certificate(tmp_path: Path) -> None:
    by_address, by_certificate = read(tmp_path, TWO).peers

    assert by_certificate.may_call_from(ip_address("192.0.2.1"))
    assert by_certificate.shows({"ward-7.example.org", "other"})
    assert not by_certificate.shows({"ward-8.example.org"})
    assert by_address.shows(())


def test_limits_not_given_keep_their_defaults(tmp_path: Path) -> None:
    limits = read(tmp_path, "[mllp.limits]\nconnections = 12\nidle_s = 0.5").limits

    assert (limits.connections, limits.idle_s) == (12, 0.5)
    assert limits.message_bytes == MllpLimits().message_bytes


@pytest.mark.parametrize("name", [field.name for field in fields(MllpLimits)])
@pytest.mark.parametrize("value", ["0", "-1", "1e12", "true", "'9'", "inf", "nan"])
def test_a_limit_that_is_none_is_refused(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"mllp\.limits\.{name}: must be a (whole )?number from"):
        read(tmp_path, f"[mllp.limits]\n{name} = {value}")


REFUSED = [
    pytest.param("mllp = 3", "mllp: must be a table", id="no table"),
    pytest.param("[mllp.peers.a]", "mllp.peers: unknown; known are limits, peer", id="misspelt"),
    pytest.param("[mllp]\npeer = 3", "mllp.peer: must be a table", id="peer no table"),
    pytest.param("[mllp.peer.a]\naddress = '10.0.0.1'", "mllp.peer.a.tenant: say whose messages", id="no tenant"),
    pytest.param("[mllp.peer.a]\ntenant = 't'", "mllp.peer.a: give address, certificate or both", id="unknowable"),
    pytest.param("[mllp.peer.a]\naddress = []\ntenant = 't'", "mllp.peer.a: give address", id="no address in the list"),
    pytest.param("[mllp.peer.a]\naddress = '10.0.0.1/8'", "mllp.peer.a.address: must be addresses", id="host bits"),
    pytest.param("[mllp.peer.a]\naddress = [7]", "mllp.peer.a.address: must be addresses", id="address a number"),
    pytest.param("[mllp.peer.a]\naddress = 'engine.local'", "mllp.peer.a.address: must be", id="address a host name"),
    pytest.param("[mllp.peer.a]\ncertificate = ''", "mllp.peer.a.certificate: must be", id="empty certificate name"),
    pytest.param("[mllp.peer.a]\nenvironment = 'live'", "must be one of production, test", id="environment"),
    pytest.param("[mllp.peer.a]\nlanguage = 'fr'", "mllp.peer.a.language: must be one of en, es", id="language"),
    pytest.param("[mllp.peer.'a b']\ntenant = 't'", "mllp.peer.a b: name a sender by", id="name with a space"),
    pytest.param("[mllp.peer.a]\nport = 1", "mllp.peer.a.port: unknown", id="key"),
]


@pytest.mark.parametrize(("content", "sentence"), REFUSED)
def test_a_sender_that_will_not_do_is_refused_by_key(tmp_path: Path, content: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, content)

    assert sentence in str(caught.value)


LISTENING = {"CDS_MLLP_BIND": "127.0.0.1:2575"}
PAIR = {"CDS_MLLP_TLS_CERTIFICATE": "cert.pem", "CDS_MLLP_TLS_KEY": "key.pem"}


def test_without_a_bind_there_is_no_listener(tmp_path: Path) -> None:
    assert settings(tmp_path, ONE).mllp_bind is None


def test_a_bind_with_known_senders_is_taken(tmp_path: Path) -> None:
    found = settings(tmp_path, ONE, CDS_MLLP_BIND="0.0.0.0:2575")

    assert found.mllp_bind == ("0.0.0.0", 2575)
    assert [peer.actor.name for peer in found.clients.mllp.peers] == ["engine"]


def test_on_loopback_with_authentication_off_no_sender_need_be_named(tmp_path: Path) -> None:
    assert settings(tmp_path, "", CDS_CLIENT_AUTH="off", **LISTENING).mllp_bind == ("127.0.0.1", 2575)


COMBINATIONS = [
    pytest.param("", LISTENING, "CDS_MLLP_BIND: every sender would be refused", id="nobody named"),
    pytest.param(
        ONE,
        {"CDS_MLLP_BIND": "0.0.0.0:2575", "CDS_CLIENT_AUTH": "off"},
        "CDS_CLIENT_AUTH: off is for loopback only; set it to required, or CDS_MLLP_BIND",
        id="anyone on the network",
    ),
    pytest.param(ONE, {"CDS_MLLP_BIND": "2575"}, "CDS_MLLP_BIND: give host:port", id="bind without host"),
    pytest.param(
        ONE,
        {**LISTENING, "CDS_WORKERS": "2", "CDS_DATABASE_URL": "postgresql://cds@db/cds"},
        "CDS_WORKERS: one process can listen for MLLP",
        id="two processes at one port",
    ),
    pytest.param(ONE, {"CDS_MLLP_TLS_KEY": "key.pem"}, "CDS_MLLP_TLS_CERTIFICATE: give it together", id="key alone"),
    pytest.param(ONE, {"CDS_MLLP_TLS_CLIENT_CA": "ca.pem"}, "CDS_MLLP_TLS_CLIENT_CA: set CDS_MLLP_TLS", id="CA alone"),
    pytest.param(
        TWO,
        {**LISTENING, **PAIR},
        "CDS_MLLP_TLS_CLIENT_CA: mllp.peer.ward-7 is known by its certificate",
        id="certificate nobody checks",
    ),
]


@pytest.mark.parametrize(("content", "environment", "sentence"), COMBINATIONS)
def test_settings_that_contradict_the_senders_stop_the_start(
    tmp_path: Path, content: str, environment: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path, content, **environment)

    assert sentence in str(caught.value)
