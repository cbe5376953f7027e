"""The application takes shorter ways than Flask's own for some steps, to the same answers."""

from __future__ import annotations

import json
from unittest.mock import patch

from flask import Flask, Response
from werkzeug.test import TestResponse

from cds_service.web import context
from cds_service.web.wsgi_call import WHOLE_BODY
from tests.conftest import ORIGIN, Service
from tests.web.calls import JSON, PATH, fixture

METHODS = ("POST", "GET", "HEAD", "OPTIONS", "DELETE")
PATHS = (PATH, f"{PATH}/", f"{PATH}?a=b", "/cds-services", "/livez", "/nowhere", "/login", "/")
HEADERS: tuple[dict[str, str], ...] = (
    {"Host": f"{'a' * 64}.example.org"},
    {"Host": "a..b"},
    {"Host": "[::1]:80"},
    {"Upgrade": "websocket", "Connection": "upgrade"},
    {"Content-Encoding": "gzip"},
    {"Content-Type": "application/json; charset=utf-8"},
    {"Content-Type": "text/plain"},
    {"Accept-Language": "es"},
)


def answered(service: Service, method: str, path: str, **how: object) -> tuple[int, list[tuple[str, str]], bytes]:
    """What is answered, but for the request's own id, and a page's tokens."""
    found: TestResponse = service.client.open(path, method=method, **how)  # type: ignore[arg-type]
    headers = sorted((name, value) for name, value in found.headers if name != "X-Request-ID")
    if "Set-Cookie" in found.headers:
        return found.status_code, [(name, "") for name, _ in headers], b""
    return found.status_code, headers, found.data


def answered_by_flask(
    service: Service, method: str, path: str, **how: object
) -> tuple[int, list[tuple[str, str]], bytes]:
    """The same, by Flask's own steps."""
    ours = type(service.app)
    service.app.__class__ = Flask
    try:
        with patch.object(context._Whole, "__call__", Response.__call__):
            return answered(service, method, path, **how)
    finally:
        service.app.__class__ = ours


def test_every_address_answers_as_by_flasks_own_steps(service: Service) -> None:
    how = {"data": b"{", "headers": {"Content-Type": JSON, "Origin": ORIGIN}}
    asked = [(method, path) for method in METHODS for path in PATHS]

    first = {one: answered(service, *one, **how) for one in asked}
    again = {one: answered(service, *one, **how) for one in asked}  # the rules are known now

    assert again == first
    assert {one: answered_by_flask(service, *one, **how) for one in asked} == first


def test_whatever_its_headers_a_call_is_answered_as_by_flasks_own_steps(service: Service) -> None:
    calls = [{"data": json.dumps(fixture()), "headers": {"Content-Type": JSON, **headers}} for headers in HEADERS]

    ours = [answered(service, "POST", PATH, **how) for how in calls]

    assert [answered_by_flask(service, "POST", PATH, **how) for how in calls] == ours
    assert [status for status, *_ in ours] == [400, 400, 200, 400, 415, 200, 415, 200]


def test_a_body_that_is_here_whole_is_read_like_its_stream(service: Service) -> None:
    body = json.dumps(fixture()).encode()
    headers = {"Content-Type": JSON}

    streamed = answered(service, "POST", PATH, data=body, headers=headers)
    whole = answered(service, "POST", PATH, data=b"", headers=headers, environ_overrides={WHOLE_BODY: body})

    assert streamed[0] == 200
    assert whole == streamed


def test_only_steps_that_nothing_uses_are_left_out(service: Service) -> None:
    around = (
        service.app.before_request_funcs,
        service.app.after_request_funcs,
        service.app.teardown_request_funcs,
        service.app.url_value_preprocessors,
    )

    assert [
        functions for those in around for whose, functions in those.items() if whose is not None and functions
    ] == []
    assert not service.app.url_value_preprocessors.get(None)
    assert service.app.teardown_appcontext_funcs == []


def test_what_was_of_one_request_is_gone_with_it(service: Service) -> None:
    service.client.get("/livez")

    assert context.environ_at_hand() == {}
