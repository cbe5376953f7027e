"""JSON Web Key sets (RFC 7517): the public keys a client signs its tokens with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError

from cds_service.cdshooks.key_source import Key, UnusableKeys

# The two CDS Hooks 2.0.1 recommends; a key of one kind never checks a signature of the other.
ES384, RS384 = "ES384", "RS384"
# What an id_token is signed with unless agreed otherwise (OpenID Connect Core 1.0, 3.1.3.7).
RS256 = "RS256"

KEYS_LIMIT = 32  # chosen by us: a client rotates between two or three
_RSA_BITS_MIN = 2048  # NIST SP 800-131A, table 2
_KEY_ID_LIMIT = 256


def keys_from_document(body: bytes, *, rsa: str = RS384) -> Mapping[str, Key]:
    """Keys by `kid`, RSA keys for the algorithm `rsa`.

    Those for other uses are passed over; UnusableKeys when none is left, or one is private.
    """
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise UnusableKeys("not JSON") from None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or len(entries) > KEYS_LIMIT:
        raise UnusableKeys(f"must be an object with a list `keys` of at most {KEYS_LIMIT}")
    keys: dict[str, Key] = {}
    for entry in entries:
        found = _key(entry, rsa)
        if found is None:
            continue
        key_id, key = found
        if key_id in keys:
            raise UnusableKeys("two keys have the same kid")
        keys[key_id] = key
    if not keys:
        raise UnusableKeys(f"holds no key for ES384 or {rsa} with a kid")
    return keys


def _key(entry: Any, rsa: str) -> tuple[str, Key] | None:
    """The key and its id; None for one that is not for signatures of these two kinds."""
    if not isinstance(entry, dict):
        raise UnusableKeys("a key must be an object")
    if "d" in entry:
        raise UnusableKeys("holds a private key: only public ones belong here")
    key_id = entry.get("kid")
    if entry.get("use", "sig") != "sig" or not isinstance(key_id, str) or not 0 < len(key_id) <= _KEY_ID_LIMIT:
        return None
    key = _elliptic(entry) if entry.get("kty") == "EC" else _rsa(entry, rsa) if entry.get("kty") == "RSA" else None
    return None if key is None or entry.get("alg", key.algorithm) != key.algorithm else (key_id, key)


def _elliptic(entry: dict[str, Any]) -> Key | None:
    if entry.get("crv") != "P-384":
        return None
    try:
        public = ECAlgorithm.from_jwk(entry)
    except (InvalidKeyError, ValueError, TypeError):
        raise UnusableKeys("an EC key cannot be read") from None
    is_sound = isinstance(public, EllipticCurvePublicKey) and isinstance(public.curve, SECP384R1)
    return Key(ES384, public) if is_sound else None  # type: ignore[arg-type]


def _rsa(entry: dict[str, Any], algorithm: str) -> Key | None:
    try:
        public = RSAAlgorithm.from_jwk(entry)
    except (InvalidKeyError, ValueError, TypeError):
        raise UnusableKeys("an RSA key cannot be read") from None
    if not isinstance(public, RSAPublicKey) or public.key_size < _RSA_BITS_MIN:
        raise UnusableKeys(f"an RSA key has fewer than {_RSA_BITS_MIN} bits")
    return Key(algorithm, public)
