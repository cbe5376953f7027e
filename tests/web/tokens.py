"""A client's keys and tokens, sound unless told otherwise."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.conftest import NOW, PUBLIC_URL

ISSUER = "https://ehr.example.org/oauth"
ADDRESS = f"{PUBLIC_URL}/cds-services/vitals-risk"


@cache
def elliptic_key(name: str = "client") -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


@cache
def rsa_key(name: str = "client") -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def public_jwk(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    algorithm: Any = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else RSAAlgorithm
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **more}


def key_set(**keys: Any) -> bytes:
    """A JWK set of private keys' public halves, by kid."""
    found = keys or {"ec-1": elliptic_key(), "rsa-1": rsa_key()}
    return json.dumps({"keys": [public_jwk(key, kid) for kid, key in found.items()]}).encode()


def claims(at: datetime = NOW, **changes: Any) -> dict[str, Any]:
    """The claims of a sound token; one that is changed to None is left out."""
    sound: dict[str, Any] = {
        "iss": ISSUER,
        "aud": ADDRESS,
        "iat": int(at.timestamp()),
        "exp": int((at + timedelta(minutes=5)).timestamp()),
        "jti": str(uuid4()),
    }
    return {name: value for name, value in {**sound, **changes}.items() if value is not None}


def a_token(
    key: Any = None, *, header: dict[str, Any] | None = None, algorithm: str | None = None, **changes: Any
) -> str:
    """A token of the registered client for the service `vitals-risk`."""
    key = key or elliptic_key()
    elliptic = isinstance(key, ec.EllipticCurvePrivateKey)
    named = {"kid": "ec-1" if elliptic else "rsa-1", **(header or {})}
    return jwt.encode(claims(**changes), key, algorithm or ("ES384" if elliptic else "RS384"), headers=named)


def clients_file(directory: Path, *, keys: bytes | None = None, more: str = "") -> Path:
    """The file that registers the client with its keys in a file."""
    (directory / "keys.json").write_bytes(keys or key_set())
    path = directory / "clients.toml"
    path.write_text(
        f"""
[client.ehr]
issuer = "{ISSUER}"
environment = "production"
tenant = "north"
tenants = {{ T-SOUTH = "south" }}
jwks = "{directory / "keys.json"}"
{more}
"""
    )
    return path
