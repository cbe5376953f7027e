"""THREATS.md G 68: MLLP over TLS, with senders known by the certificate they show."""

import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest

from cds_service.errors import ConfigurationError
from cds_service.hl7.framing import framed
from cds_service.mllp.tls import context_from_settings
from cds_service.settings import Settings
from tests.conftest import environment
from tests.mllp.certificates import Authority, Pair
from tests.mllp.conversing import Listening, Sender, Ward, answer_to, counted, limits, listening, wait_until

PEERS = """
[mllp.peer.ward-7]
certificate = "ward-7.example.org"
tenant = "north"
[mllp.peer.theatre]
certificate = "theatre"
address = "127.0.0.2"
tenant = "south"
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("hospital"), "hospital")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Pair:
    return authority.sign("cds", dns=("cds.example.org",))


def variables(server: Pair, **more: str) -> dict[str, str]:
    return {"CDS_MLLP_TLS_CERTIFICATE": str(server.certificate), "CDS_MLLP_TLS_KEY": str(server.key), **more}


def secured(mllp: Listening, authority: Authority, pair: Pair | None = None, source: str = "127.0.0.1") -> Sender:
    context = ssl.create_default_context(cafile=authority.certificate)
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    plain = mllp.sender(source).socket
    return Sender(context.wrap_socket(plain, server_hostname="cds.example.org"))


@pytest.fixture
def mutual(tmp_path: Path, ward: Ward, authority: Authority, server: Pair) -> Iterator[Listening]:
    more = variables(server, CDS_MLLP_TLS_CLIENT_CA=str(authority.certificate), CDS_CLIENT_AUTH="required")
    with listening(tmp_path, ward, PEERS, **more) as found:
        yield found


def test_messages_are_answered_over_tls(tmp_path: Path, ward: Ward, authority: Authority, server: Pair) -> None:
    with listening(tmp_path, ward, **variables(server)) as mllp, secured(mllp, authority) as sender:
        sender.send(framed(b"one") + framed(b"x" * 200_000) + framed(b"three"))
        answers = [sender.answer() for _ in range(3)]

    assert answers == [answer_to(b"one"), answer_to(b"x" * 200_000), answer_to(b"three")]


def test_an_oversize_message_is_refused_over_tls(
    tmp_path: Path, ward: Ward, authority: Authority, server: Pair
) -> None:
    with (
        listening(tmp_path, ward, limits(message_bytes=2000), **variables(server)) as mllp,
        secured(mllp, authority) as sender,
    ):
        sender.send(framed(b"y" * 200_000))

        assert sender.answer() == b"REFUSED"


@pytest.mark.parametrize(
    ("name", "dns", "source", "tenant"),
    [
        pytest.param("anything", ("other", "ward-7.example.org"), "127.0.0.1", "north", id="dns name"),
        pytest.param("theatre", (), "127.0.0.2", "south", id="common name and address"),
    ],
)
def test_g68_a_sender_is_known_by_its_certificate(
    mutual: Listening, ward: Ward, authority: Authority, name: str, dns: tuple[str, ...], source: str, tenant: str
) -> None:
    with secured(mutual, authority, authority.sign(name, dns=dns), source) as sender:
        assert sender.ask(b"one") == answer_to(b"one")

    assert [actor.tenant for _, actor in ward.taken] == [tenant]


def turned_away(mllp: Listening, authority: Authority, pair: Pair | None, source: str = "127.0.0.1") -> bool:
    """Whether nothing is answered; with TLS 1.3 a sender learns that its certificate failed only when it reads."""
    try:
        with secured(mllp, authority, pair, source) as sender:
            sender.ask(b"MSH|")
    except (ssl.SSLError, ConnectionError):
        return True
    return False


def test_g68_without_a_certificate_that_is_asked_for_nothing_is_taken(
    mutual: Listening, ward: Ward, authority: Authority
) -> None:
    def refused() -> float:
        return counted("cds_mllp_refused_connections_total", reason="tls_handshake_failed")

    before = refused()

    assert turned_away(mutual, authority, None)
    wait_until(lambda: refused() == before + 1)
    assert ward.taken == []


def test_g68_an_address_nobody_named_is_closed_on_before_its_handshake(
    tmp_path: Path, ward: Ward, authority: Authority, server: Pair
) -> None:
    only = "[mllp.peer.theatre]\ncertificate = 'theatre'\naddress = '127.0.0.2'\ntenant = 'south'\n"
    more = variables(server, CDS_MLLP_TLS_CLIENT_CA=str(authority.certificate), CDS_CLIENT_AUTH="required")
    before = counted("cds_mllp_refused_connections_total", reason="unknown_sender")

    with listening(tmp_path, ward, only, **more) as mllp, mllp.sender("127.0.0.3") as stranger:
        closed = stranger.is_closed()

    assert closed
    assert counted("cds_mllp_refused_connections_total", reason="unknown_sender") == before + 1


def test_g68_a_certificate_of_another_authority_is_not_taken(
    tmp_path: Path, mutual: Listening, ward: Ward, authority: Authority
) -> None:
    forged = Authority(tmp_path, "forger").sign("forged", dns=("ward-7.example.org",))

    assert turned_away(mutual, authority, forged)
    assert ward.taken == []


@pytest.mark.parametrize(
    ("name", "dns", "days", "source"),
    [
        pytest.param("late", ("ward-7.example.org",), -1, "127.0.0.1", id="out of date"),
        pytest.param("stranger", ("ward-8.example.org",), 1, "127.0.0.1", id="a name nobody listed"),
        pytest.param("ward-7.example.org", ("other",), 1, "127.0.0.1", id="common name beside DNS names"),
        pytest.param("theatre", (), 1, "127.0.0.1", id="the right name from another address"),
    ],
)
def test_g68_a_certificate_that_is_not_the_senders_is_not_taken(
    mutual: Listening, ward: Ward, authority: Authority, name: str, dns: tuple[str, ...], days: int, source: str
) -> None:
    assert turned_away(mutual, authority, authority.sign(name, dns=dns, days=days), source)
    assert ward.taken == []


def test_g68_a_plain_sender_is_not_heard_where_tls_is_asked_for(
    tmp_path: Path, ward: Ward, authority: Authority, server: Pair
) -> None:
    with listening(tmp_path, ward, **variables(server)) as mllp:
        with mllp.sender() as plain:
            plain.send(framed(b"MSH|"))
            with pytest.raises((ConnectionError, AssertionError)):  # closed, at most after a TLS alert
                plain.answer()
        with secured(mllp, authority) as good:
            assert good.ask(b"one") == answer_to(b"one")

    assert ward.messages == [b"one"]


def test_g68_nothing_older_than_tls_1_2_is_spoken(tmp_path: Path, server: Pair) -> None:
    context = context_from_settings(Settings.from_environment(environment(tmp_path, **variables(server))))

    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_g67_handshakes_that_are_never_finished_hold_up_nobody(
    tmp_path: Path, ward: Ward, authority: Authority, server: Pair
) -> None:
    with listening(tmp_path, ward, limits(peer_connections=240), **variables(server)) as mllp, ExitStack() as held:
        for _ in range(100):
            held.enter_context(mllp.sender()).send(b"\x16\x03\x01")
        wait_until(lambda: counted("cds_mllp_connections") >= 100)
        with secured(mllp, authority) as good:
            assert good.ask(b"one") == answer_to(b"one")


def test_g68_tls_files_that_will_not_do_stop_the_start(tmp_path: Path, authority: Authority, server: Pair) -> None:
    locked = authority.sign("locked", password=b"one two three")
    empty = tmp_path / "empty.pem"
    empty.touch()
    cases = [
        (Pair(tmp_path / "nowhere.pem", server.key), {}, "CDS_MLLP_TLS_CERTIFICATE: cannot be read"),
        (Pair(empty, server.key), {}, "CDS_MLLP_TLS_CERTIFICATE: no pair of certificate and key"),
        (Pair(server.certificate, locked.key), {}, "CDS_MLLP_TLS_KEY: the key is encrypted"),
        (Pair(locked.certificate, server.key), {}, "CDS_MLLP_TLS_CERTIFICATE: no pair of certificate and key"),
        (server, {"CDS_MLLP_TLS_CLIENT_CA": str(empty)}, "CDS_MLLP_TLS_CLIENT_CA: no certificates"),
        (server, {"CDS_MLLP_TLS_CLIENT_CA": "nowhere.pem"}, "CDS_MLLP_TLS_CLIENT_CA: cannot be read"),
    ]

    for pair, more, sentence in cases:
        settings = Settings.from_environment(environment(tmp_path, **variables(pair, **more)))
        with pytest.raises(ConfigurationError, match=sentence):
            context_from_settings(settings)


def test_at_the_end_unfinished_handshakes_are_let_go_of_and_messages_in_flight_answered(
    tmp_path: Path, ward: Ward, authority: Authority, server: Pair
) -> None:
    with (
        listening(tmp_path, ward, **variables(server)) as mllp,
        mllp.sender() as half,
        secured(mllp, authority) as busy,
    ):
        half.send(b"\x16\x03\x01")
        busy.send(framed(b"HOLD"))
        wait_until(lambda: ward.messages == [b"HOLD"])
        ending = Thread(target=mllp.listener.drain)
        begun = time.monotonic()
        ending.start()
        assert half.is_closed()
        ward.hold.set()
        answered = busy.answer()
        ending.join()
        seconds = time.monotonic() - begun

    assert answered == answer_to(b"HOLD")
    assert seconds < 5.0  # a handshake may take ten
