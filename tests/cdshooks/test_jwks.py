from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm

from cds_service.cdshooks.jwks import KEYS_LIMIT, keys_from_document
from cds_service.cdshooks.key_source import UnusableKeys
from tests.web.tokens import elliptic_key, key_set, public_jwk, rsa_key


def test_both_recommended_kinds_of_key_are_read() -> None:
    keys = keys_from_document(key_set())

    assert {key_id: key.algorithm for key_id, key in keys.items()} == {"ec-1": "ES384", "rsa-1": "RS384"}


OTHERS: dict[str, Any] = {
    "another curve": public_jwk(ec.generate_private_key(ec.SECP256R1()), "p256"),
    "for encryption": public_jwk(elliptic_key(), "enc", use="enc"),
    "another algorithm": public_jwk(rsa_key(), "rs256", alg="RS256"),
    "symmetric": {"kty": "oct", "k": "c2VjcmV0", "kid": "oct"},
    "without a kid": {name: value for name, value in public_jwk(elliptic_key(), "").items() if name != "kid"},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_keys_for_other_uses_are_passed_over(other: dict[str, Any]) -> None:
    document = json.dumps({"keys": [other, public_jwk(elliptic_key(), "ec-1")]}).encode()

    assert list(keys_from_document(document)) == ["ec-1"]


UNUSABLE: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"{", "not JSON"),
    "deep": (b"[" * 100_000, "not JSON"),
    "a list": (b"[]", "an object"),
    "empty": (b'{"keys": []}', "no key"),
    "no object": (b'{"keys": [3]}', "an object"),
    "too many": (json.dumps({"keys": [{}] * (KEYS_LIMIT + 1)}).encode(), "at most"),
    "private": (
        json.dumps({"keys": [{**ECAlgorithm.to_jwk(elliptic_key(), as_dict=True), "kid": "1"}]}).encode(),
        "private",
    ),
    "one kid twice": (
        json.dumps({"keys": [public_jwk(elliptic_key(), "1"), public_jwk(rsa_key(), "1")]}).encode(),
        "same kid",
    ),
    "short RSA": (
        json.dumps({"keys": [public_jwk(rsa.generate_private_key(65537, 1024), "1")]}).encode(),
        "fewer than",
    ),
    "off the curve": (
        json.dumps({"keys": [{**public_jwk(elliptic_key(), "1"), "x": "AAAA"}]}).encode(),
        "cannot be read",
    ),
}


@pytest.mark.parametrize(("document", "sentence"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_set_that_cannot_be_used_is_refused_whole(document: bytes, sentence: str) -> None:
    with pytest.raises(UnusableKeys, match=sentence):
        keys_from_document(document)
