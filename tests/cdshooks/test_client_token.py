"""What a token proves. THREATS.md C, number by number, on the whole service: tests/web/test_threats_c.py."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest

from cds_service.cdshooks.client_token import (
    LEEWAY,
    LIFETIME_MAX,
    Claims,
    read_unverified,
    verified_claims,
)
from cds_service.cdshooks.jwks import keys_from_document
from cds_service.errors import Unauthorized
from tests.conftest import NOW
from tests.web.tokens import ADDRESS, ISSUER, a_token, key_set, rsa_key


def prove(token: str, audience: str = ADDRESS) -> Claims:
    stated = read_unverified(token)
    return verified_claims(token, stated, keys_from_document(key_set())[stated.key_id], audience=audience, now=NOW)


@pytest.mark.parametrize("key", [None, rsa_key()], ids=["ES384", "RS384"])
def test_a_sound_token_proves_its_issuer(key: Any) -> None:
    claims = prove(a_token(key, jti="77", tenant="T-SOUTH"))

    assert (claims.issuer, claims.jti, claims.tenant) == (ISSUER, "77", "T-SOUTH")
    assert claims.expires_at == NOW + timedelta(minutes=5)


@pytest.mark.parametrize("audience", [[ADDRESS], ["https://elsewhere.example", ADDRESS]])
def test_the_audience_may_be_one_of_a_list(audience: list[str]) -> None:
    assert prove(a_token(aud=audience)).issuer == ISSUER


@pytest.mark.parametrize("ahead_s", [1, 15, 29])
def test_a_clock_that_is_ahead_within_the_leeway_is_forgiven(ahead_s: int) -> None:
    """The public sandbox rounds `iat` up, and clocks differ."""
    issued = int(NOW.timestamp()) + ahead_s

    assert prove(a_token(iat=issued, exp=issued + 300)).issuer == ISSUER


def test_a_token_that_just_expired_is_forgiven_within_the_leeway_only() -> None:
    issued = int((NOW - timedelta(minutes=5)).timestamp())

    assert prove(a_token(iat=issued, exp=int((NOW - LEEWAY).timestamp()) + 1))
    with pytest.raises(Unauthorized) as refused:
        prove(a_token(iat=issued, exp=int((NOW - LEEWAY).timestamp())))
    assert refused.value.reason == "exp"


def test_the_longest_lifetime_is_taken_and_a_longer_one_not() -> None:
    issued = int(NOW.timestamp())
    longest = int(LIFETIME_MAX.total_seconds())

    assert prove(a_token(iat=issued, exp=issued + longest))
    with pytest.raises(Unauthorized) as refused:
        prove(a_token(iat=issued, exp=issued + longest + 1))
    assert refused.value.reason == "lifetime"


def test_a_token_as_epic_documents_it_is_taken() -> None:
    """RS384, a kid in base64, `nbf` five minutes before `iat`, a quarter of an hour of life, `sub`, no tenant."""
    issued = int(NOW.timestamp())
    kid = b64encode(b"?>a key of the hospital").decode()
    times = {"iat": issued, "nbf": issued - 300, "exp": issued + 900}

    token = a_token(rsa_key(), header={"kid": kid}, sub="b3a1", **times)
    stated = read_unverified(token)
    key = keys_from_document(key_set(**{kid: rsa_key()}))[stated.key_id]

    assert verified_claims(token, stated, key, audience=ADDRESS, now=NOW).tenant is None
