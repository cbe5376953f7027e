"""A little EHR for the tests, on loopback: an authorization server that launches apps (SMART App Launch 2.2)."""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt

from tests.web.tokens import public_jwk, rsa_key

CLIENT_ID, SECRET = "cds-app", "s3cret/with+signs"
ACCESS_TOKEN = "access-token-that-nobody-keeps"
CONFIGURATION = "/fhir/.well-known/smart-configuration"


@dataclass
class Ehr:
    """What the EHR knows: the launches it began, the codes it gave, and how it is told to go wrong.

    `patient`, `user` and `context` are what is open there. `changed` changes the claims of an id_token, `answered` the
    answer to a code.
    """

    port: int
    now: Callable[[], datetime]
    patient: str = ""
    user: str = "Practitioner/ana-1"
    context: str | None = None
    has_secret: bool = False
    denies: bool = False
    changed: dict[str, Any] = field(default_factory=dict)
    answered: dict[str, Any] = field(default_factory=dict)
    documents: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    signer: Any = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def iss(self) -> str:
        return f"{self.base}/fhir"

    def configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.iss,
            "jwks_uri": f"{self.base}/jwks",
            "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/token",
            "code_challenge_methods_supported": ["S256"],
            **self.documents,
        }

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser is sent back to, with a code bound to what was asked."""
        asked = {"client_id": CLIENT_ID, "response_type": "code", "aud": self.iss, "code_challenge_method": "S256"}
        assert {name: query.get(name) for name in asked} == asked
        assert "openid" in query["scope"].split()
        back = {"state": query["state"]}
        if self.denies:
            return f"{query['redirect_uri']}?{urlencode({**back, 'error': 'access_denied'})}"
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({**back, 'code': code})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """The answer to a code: once, for whoever began it."""
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant"}
        if not self._is_app(form, authorization):
            return 401, {"error": "invalid_client"}
        answer = {
            "access_token": ACCESS_TOKEN,
            "token_type": "Bearer",
            "expires_in": 300,
            "patient": self.patient,
            "id_token": self.id_token(asked["nonce"]),
            "appContext": self.context,
            **self.answered,
        }
        return 200, {name: value for name, value in answer.items() if value is not None}

    def id_token(self, nonce: str) -> str:
        at = self.now()
        claims = {
            "iss": self.iss,
            "aud": CLIENT_ID,
            "sub": "u-1",
            "iat": int(at.timestamp()),
            "exp": int((at + timedelta(minutes=5)).timestamp()),
            "nonce": nonce,
            "fhirUser": f"{self.iss}/{self.user}",
            **self.changed,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"kid": "ehr-1", **self.header}
        return jwt.encode(claims, self.signer or rsa_key("ehr"), header.pop("alg", "RS256"), headers=header)

    def _is_app(self, form: dict[str, str], authorization: str) -> bool:
        if not self.has_secret:
            return form.get("client_id") == CLIENT_ID and not authorization
        pair = b64decode(authorization.removeprefix("Basic ")).decode()
        return pair == f"{CLIENT_ID}:s3cret%2Fwith%2Bsigns"


def _handler(ehr: Ehr) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            ehr.requests.append(parts.path)
            if parts.path == "/authorize":
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(302)
                self.send_header("Location", ehr.authorize(query))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            keys = {"keys": [public_jwk(rsa_key("ehr"), "ehr-1", alg="RS256")]}
            known = {CONFIGURATION: ehr.configuration(), "/jwks": keys}
            self._answer(200 if parts.path in known else 404, known.get(parts.path, {}))

        def do_POST(self) -> None:
            ehr.requests.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            if self.path != "/token":
                self._answer(404, {})
                return
            self._answer(*ehr.token(form, self.headers.get("Authorization", "")))

        def _answer(self, status: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    return Handler


@contextmanager
def an_ehr(now: Callable[[], datetime]) -> Iterator[Ehr]:
    """The EHR on a free port until the block ends."""
    ehr = Ehr(0, now)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(ehr)) as server:
        server.daemon_threads = True
        ehr.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield ehr
        finally:
            server.shutdown()
            thread.join()
