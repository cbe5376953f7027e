"""A client system for the benches: its keys, the file that registers it, and a token for each call."""

from __future__ import annotations

import json
import time
from pathlib import Path
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

_ISSUER = "https://bench.example"


class Client:
    """A registered client that signs with ES384, the dearer of the two algorithms to check."""

    def __init__(self, directory: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP384R1())
        keys = {"keys": [{**ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True), "kid": "1"}]}
        (directory / "keys.json").write_text(json.dumps(keys))
        self._file = directory / "clients.toml"
        self._file.write_text(
            f'[client.bench]\nissuer = "{_ISSUER}"\nenvironment = "test"\ntenant = "bench"\n'
            f'jwks = "{directory / "keys.json"}"\n'
        )

    def settings(self) -> dict[str, str]:
        """What makes a service demand this client's tokens, without a limit that a bench would meet."""
        return {
            "CDS_CLIENT_AUTH": "required",
            "CDS_CLIENTS_FILE": str(self._file),
            "CDS_RATE_LIMIT": "1000000",
            "CDS_SECRET_KEY": uuid4().hex * 2,
        }

    def headers(self, address: str) -> dict[str, str]:
        """The header of one call of this address."""
        now = int(time.time())
        claims = {"iss": _ISSUER, "aud": address, "iat": now, "exp": now + 300, "jti": str(uuid4())}
        token = jwt.encode(claims, self._key, "ES384", headers={"kid": "1"})
        return {"Authorization": f"Bearer {token}"}
