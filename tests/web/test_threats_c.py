"""THREATS.md C: tokens forged, replayed, expired, confused and stolen, number by number, on the whole service."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from werkzeug.test import TestResponse

from cds_service.domain.codes import CodeTables
from cds_service.errors import Unavailable
from cds_service.inference.predictor import Predictor
from tests.conftest import NOW, PUBLIC_URL, Clock, Service, started
from tests.web.calls import PATH, Json, fixture, post
from tests.web.tokens import ADDRESS, ISSUER, a_token, claims, clients_file, elliptic_key, key_set, public_jwk, rsa_key


@pytest.fixture
def guarded(
    tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> Iterator[Service]:
    """A service that demands tokens, with one client registered."""
    more = {"CDS_CLIENT_AUTH": "required", "CDS_CLIENTS_FILE": str(clients_file(tmp_path))}
    with started(tmp_path, empty_database, predictor, tables, **more) as service:
        yield service
    written = service.log.read_text(encoding="utf-8")
    assert "eyJ" not in written


def call(service: Service, token: str, body: Json | None = None, path: str = PATH) -> TestResponse:
    return post(service.client, body or fixture(), path=path, Authorization=f"Bearer {token}")


def audited(service: Service) -> list[tuple[str, str, Json]]:
    with closing(sqlite3.connect(service.database)) as connection:
        rows = connection.execute("SELECT action, actor, detail FROM audit ORDER BY seq").fetchall()
    return [(action, actor, json.loads(detail)) for action, actor, detail in rows]


def refused(service: Service, token: str, *reasons: str, **more: Any) -> None:
    """The call is 401 without a reason; the audit log has the reason, one of these, and the token's issuer and id."""
    response = call(service, token, **more)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    issues = json.loads(response.data)["issue"]
    assert [issue["code"] for issue in issues] == ["login"]
    assert issues[0]["diagnostics"] == "authentication is required"
    action, actor, detail = audited(service)[-1]
    assert (action, actor) == ("refuse", "unknown")
    assert detail.pop("reason") in reasons
    assert detail == ids_of(token)
    assert token not in json.dumps(detail)


def ids_of(token: str) -> Json:
    """What a token says of itself, up to the first that is no short text."""
    payload = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    found: Json = {}
    for name, limit in (("iss", 256), ("jti", 128)):
        value = payload.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= limit or not value.isprintable():
            break
        found[name] = value
    return found


def signed(header: dict[str, Any], payload: dict[str, Any], key: Any = None) -> str:
    """A token of any header and claims, soundly signed with ES384, which PyJWT would not write."""
    signing_input = unsigned(header, payload).rpartition(".")[0].encode()
    algorithm = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA384)
    signature = algorithm.sign(signing_input, key or elliptic_key())
    return f"{signing_input.decode()}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def unsigned(header: dict[str, Any], payload: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(payload).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize("key", [None, rsa_key()], ids=["ES384", "RS384"])
def test_a_sound_token_is_answered_in_its_tenant(guarded: Service, key: Any) -> None:
    response = call(guarded, a_token(key, tenant="T-SOUTH"))

    assert response.status_code == 200
    with closing(sqlite3.connect(guarded.database)) as connection:
        stored = connection.execute("SELECT tenant, environment FROM predictions").fetchall()
    assert stored == [("south", "production")]
    assert audited(guarded)[-1][:2] == ("predict", "ehr")


def test_discovery_needs_no_token_and_takes_one(guarded: Service) -> None:
    for headers in ({}, {"Authorization": f"Bearer {a_token()}"}, {"Authorization": "Bearer nonsense"}):
        assert guarded.client.get("/cds-services", headers=headers).status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Token abc"])
def test_a_call_without_a_token_is_401(guarded: Service, header: str) -> None:
    response = post(guarded.client, fixture(), Authorization=header)

    assert response.status_code == 401


def test_c29_no_algorithm_is_none(guarded: Service) -> None:
    for algorithm in ("none", "None", "NONE", ""):
        refused(guarded, unsigned({"alg": algorithm, "kid": "ec-1"}, claims()), "algorithm")


def test_c30_a_symmetric_key_is_never_taken(guarded: Service) -> None:
    public = elliptic_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for secret in (public, key_set(), b"", b"x" * 64):
        for algorithm in ("HS256", "HS384", "HS512"):
            token = unsigned({"alg": algorithm, "kid": "ec-1"}, claims())
            signing_input = token.rpartition(".")[0].encode()
            signature = jwt.algorithms.HMACAlgorithm(
                getattr(jwt.algorithms.HMACAlgorithm, algorithm.replace("HS", "SHA"))
            ).sign(signing_input, secret)
            signed = signing_input.decode() + "." + base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
            refused(guarded, signed, "algorithm")


KEY_IDS = ["", "../../etc/passwd", "x' OR '1'='1", "unknown", "ec-1\u0000", "k" * 300, "ＥＣ-1"]


@pytest.mark.parametrize("key_id", KEY_IDS)
def test_c31_a_key_id_is_only_ever_looked_up(guarded: Service, key_id: str) -> None:
    refused(guarded, a_token(header={"kid": key_id}), "kid")


@pytest.mark.parametrize("key_id", [["ec-1"], {"a": 1}, 3, None])
def test_c31_a_key_id_that_is_no_text_is_refused(guarded: Service, key_id: Any) -> None:
    refused(guarded, signed({"alg": "ES384", "kid": key_id}, claims()), "kid")


def test_c31_another_key_under_a_known_id_is_refused(guarded: Service) -> None:
    refused(guarded, a_token(elliptic_key("thief")), "signature")
    refused(guarded, a_token(rsa_key("thief")), "signature")


@pytest.mark.parametrize("signer", ["thief", "client"])
@pytest.mark.parametrize("name", ["jwk", "x5u", "x5c", "crit", "b64"])
def test_c32_a_token_brings_no_key_of_its_own(guarded: Service, name: str, signer: str) -> None:
    """Signed with the key it brings, and soundly signed: neither is looked at further."""
    brought = {"jwk": public_jwk(elliptic_key("thief"), "t"), "x5c": ["MIIB"], "crit": ["exp"], "b64": True}
    value = brought.get(name, "https://evil.example/key")

    refused(guarded, signed({"alg": "ES384", "kid": "ec-1", name: value}, claims(), elliptic_key(signer)), "header")


@pytest.mark.parametrize("address", ["https://evil.example/jwks", "http://127.0.0.1/jwks", "file:///etc/passwd", ""])
def test_c32_a_key_address_that_is_not_registered_is_refused_and_not_called(guarded: Service, address: str) -> None:
    refused(guarded, a_token(header={"jku": address}), "jku")


def test_c33_a_signature_of_zeros_proves_nothing(guarded: Service) -> None:
    refused(guarded, unsigned({"alg": "ES384", "kid": "ec-1"}, claims(), bytes(96)), "signature")


def test_c33_a_key_is_for_its_own_algorithm_only(guarded: Service) -> None:
    refused(guarded, a_token(elliptic_key(), header={"kid": "rsa-1"}), "algorithm")
    refused(guarded, a_token(rsa_key(), header={"kid": "ec-1"}), "algorithm")
    refused(guarded, a_token(rsa_key(), algorithm="RS256"), "algorithm")
    refused(guarded, a_token(rsa_key(), algorithm="PS384"), "algorithm")


def seconds(**ahead: float) -> int:
    return int((NOW + timedelta(**ahead)).timestamp())


TIMES: dict[str, tuple[dict[str, Any], str]] = {
    "exp missing": ({"exp": None}, "claims"),
    "exp text": ({"exp": str(seconds(minutes=5))}, "exp"),
    "exp true": ({"exp": True}, "exp"),
    "exp huge": ({"exp": 1e30}, "exp"),
    "expired": ({"iat": seconds(minutes=-10), "exp": seconds(minutes=-5)}, "exp"),
    "ten years": ({"exp": seconds(days=3650)}, "lifetime"),
    "exp before iat": ({"iat": seconds(seconds=20), "exp": seconds(seconds=10)}, "lifetime"),
    "iat missing": ({"iat": None}, "claims"),
    "iat ahead": ({"iat": seconds(minutes=2), "exp": seconds(minutes=5)}, "iat"),
    "nbf ahead": ({"nbf": seconds(minutes=2)}, "iat"),
}


@pytest.mark.parametrize(("changes", "reason"), TIMES.values(), ids=TIMES)
def test_c34_times_that_are_no_times_of_now(guarded: Service, changes: Json, reason: str) -> None:
    refused(guarded, a_token(**changes), reason)


@pytest.mark.parametrize("moment", [float("nan"), float("inf"), -1e300, [1], {"a": 1}], ids=str)
def test_c34_an_expiry_that_is_no_number(guarded: Service, moment: Any) -> None:
    token = signed({"alg": "ES384", "kid": "ec-1"}, claims(exp=moment))

    assert call(guarded, token).status_code == 401
    assert audited(guarded)[-1][2]["reason"] in ("shape", "exp", "claims")


AUDIENCES: dict[str, Any] = {
    "missing": None,
    "another site": "https://other.example.org/cds-services/vitals-risk",
    "another service": f"{PUBLIC_URL}/cds-services/rare-disease",
    "feedback of the service": f"{ADDRESS}/feedback",
    "a prefix": PUBLIC_URL,
    "with a slash": f"{ADDRESS}/",
    "an object": {"url": ADDRESS},
    "empty list": [],
    "the address inside": "https://localhost/cds-services/vitals-risk",
}


@pytest.mark.parametrize("audience", AUDIENCES.values(), ids=AUDIENCES)
def test_c35_a_token_for_another_address_is_refused(guarded: Service, audience: Any) -> None:
    refused(guarded, a_token(aud=audience), "aud" if audience else "claims", "aud")


def test_c35_the_host_header_does_not_change_the_audience(guarded: Service) -> None:
    token = a_token(aud="https://evil.example/cds-services/vitals-risk")

    response = post(guarded.client, fixture(), Authorization=f"Bearer {token}", Host="evil.example")

    assert response.status_code == 401


@pytest.mark.parametrize("issuer", ["https://evil.example", f"{ISSUER}/", "", None, [ISSUER], 3])
def test_c36_an_issuer_that_is_not_registered_is_refused(guarded: Service, issuer: Any) -> None:
    changed = {**claims(), "iss": issuer} if issuer is not None else claims(iss=None)

    refused(guarded, signed({"alg": "ES384", "kid": "ec-1"}, changed), "iss")


@pytest.mark.parametrize("jti", [None, "", 5, "x" * 200, "a\nb"])
def test_c37_a_token_without_an_id_is_refused(guarded: Service, jti: Any) -> None:
    refused(guarded, signed({"alg": "ES384", "kid": "ec-1"}, {**claims(), "jti": jti}), "jti")


def test_c37_a_retry_with_its_token_gets_the_stored_answer(guarded: Service) -> None:
    token, body = a_token(), fixture()
    first = call(guarded, token, body)

    again = call(guarded, token, body)

    assert (again.status_code, again.data) == (200, first.data)


def test_c37_a_token_with_another_body_is_refused(guarded: Service) -> None:
    token = a_token(jti="stolen")
    assert call(guarded, token).status_code == 200

    refused(guarded, token, "replay")
    assert audited(guarded)[-1][2] == {"reason": "replay", "iss": ISSUER, "jti": "stolen"}


def test_c37_a_token_at_eight_doors_at_once_opens_one(guarded: Service) -> None:
    token = a_token()

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(lambda _: call(guarded, token).status_code, range(8)))

    assert statuses == [200] + [401] * 7


def test_c37_a_used_token_is_known_after_a_restart(
    tmp_path: Path, empty_database: Path, predictor: Predictor, tables: CodeTables, clock: Clock
) -> None:
    more = {"CDS_CLIENT_AUTH": "required", "CDS_CLIENTS_FILE": str(clients_file(tmp_path))}
    token, again = a_token(), tmp_path / "again"
    again.mkdir()
    with started(tmp_path, empty_database, predictor, tables, **more) as service:
        assert call(service, token).status_code == 200

    with started(again, service.database, predictor, tables, **more) as restarted:
        assert call(restarted, token).status_code == 401


def test_c38_a_tenant_that_is_not_the_clients_is_refused(guarded: Service) -> None:
    for tenant in ("north", "west", "", "T-SOUTH "):
        refused(guarded, a_token(tenant=tenant), "tenant")


SHAPES = {
    "five parts": "a.b.c.d.e",
    "two parts": "a.b",
    "large": "a" * 100_000 + ".b.c",
    "no base64": "§.§.§",
    "a list": unsigned([], claims()),  # type: ignore[arg-type]
    "payload a list": unsigned({"alg": "ES384", "kid": "ec-1"}, []),  # type: ignore[arg-type]
    "deep": ".".join([base64.urlsafe_b64encode(b"[" * 5000).decode()] * 2 + ["c"]),
}


@pytest.mark.parametrize("token", SHAPES.values(), ids=SHAPES)
def test_c39_what_is_no_token_is_refused(guarded: Service, token: str) -> None:
    response = post(
        guarded.client, fixture(), Authorization=f"Bearer {token}".encode("utf-8", "replace").decode("latin-1")
    )

    assert response.status_code == 401


def test_c40_a_token_in_the_address_is_no_token(guarded: Service) -> None:
    assert post(guarded.client, fixture(), path=f"{PATH}?access_token={a_token()}").status_code == 401


def test_refusals_are_noted_up_to_a_number_a_minute(guarded: Service) -> None:
    for _ in range(150):
        assert call(guarded, "a.b.c").status_code == 401

    noted = audited(guarded)[-60:]
    assert {action for action, *_ in noted} == {"refuse"}
    guarded.runtime.refusals.budget._began -= 60
    assert call(guarded, "a.b.c").status_code == 401
    assert audited(guarded)[-1][2] == {"reason": "shape", "not_noted_before": 90}
    assert [action for action, *_ in audited(guarded)].count("refuse") == 61


def test_refusals_at_the_end_of_a_flood_are_in_the_audit_log_by_their_number(guarded: Service) -> None:
    """Also those met while nothing could be stored."""
    refusals = guarded.runtime.refusals
    for _ in range(70):
        assert call(guarded, "a.b.c").status_code == 401
    refusals.budget._began -= 60
    refusals._submit, submit = unavailable, refusals._submit
    assert call(guarded, "a.b.c").status_code == 401
    refusals._submit = submit

    refusals.note_passed_over()
    refusals.note_passed_over()

    assert audited(guarded)[-1] == ("refuse", "unknown", {"not_noted_before": 11})
    assert [action for action, *_ in audited(guarded)].count("refuse") == 61


def unavailable(_event: object) -> None:
    raise Unavailable("the database is away")


def test_a_read_costs_its_token_too(guarded: Service) -> None:
    card = json.loads(call(guarded, a_token()).data)["cards"][0]
    path = f"/predictions/{card['uuid']}"
    token = a_token(aud=f"{PUBLIC_URL}{path}")

    first = guarded.client.get(path, headers={"Authorization": f"Bearer {token}"})
    elsewhere = guarded.client.get(f"{path}/explain", headers={"Authorization": f"Bearer {token}"})

    assert first.status_code == 200
    assert elsewhere.status_code == 401


def test_another_tenants_prediction_is_not_there(guarded: Service) -> None:
    card = json.loads(call(guarded, a_token()).data)["cards"][0]
    path = f"/predictions/{card['uuid']}"
    token = a_token(aud=f"{PUBLIC_URL}{path}", tenant="T-SOUTH")

    assert guarded.client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code == 404
    action, actor, detail = audited(guarded)[-1]
    assert (action, actor, detail["reason"]) == ("refuse", "ehr", "no-such-prediction")
