"""What a service is ready without: answered once it is there, waited for until then, and never a 404."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Event, Thread
from typing import Any

from cds_service.web.later import BEGIN_AFTER_S, WholeLater
from cds_service.web.wsgi_call import Application, Environ
from tests.conftest import Service

FIRST = frozenset({"/readyz"})


def saying(text: bytes) -> Application:
    def application(_environ: Environ, _start_response: Callable[..., Any]) -> Iterable[bytes]:
        return [text]

    return application


def ask(application: Application, path: str) -> bytes:
    return b"".join(application({"PATH_INFO": path, "REQUEST_METHOD": "GET"}, lambda *_: None))


def test_an_address_of_the_rest_waits_for_it_and_others_do_not() -> None:
    may_load, asked = Event(), Event()

    def load() -> Application:
        asked.set()
        assert may_load.wait(10)
        return saying(b"whole")

    later = WholeLater(saying(b"first"), FIRST, load)
    later.start()
    answers: list[bytes] = []
    waiting = Thread(target=lambda: answers.append(ask(later, "/login")))
    waiting.start()

    assert asked.wait(BEGIN_AFTER_S + 10)
    assert (ask(later, "/readyz"), answers, later.problem()) == (b"first", [], "")
    may_load.set()
    waiting.join(10)

    assert answers == [b"whole"]
    assert ask(later, "/readyz") == b"whole"


def test_an_address_of_the_rest_is_unavailable_while_that_takes_too_long() -> None:
    later = WholeLater(saying(b"first"), FIRST, lambda: saying(b"whole"), wait_s=0)

    assert b"not ready" in ask(later, "/login")
    assert later.problem() == ""


def test_a_rest_that_cannot_be_loaded_is_a_problem_for_good_and_its_addresses_unavailable() -> None:
    def load() -> Application:
        raise ImportError("a module is missing")

    later = WholeLater(saying(b"first"), FIRST, load)
    later.start()

    for _ in range(2):
        assert b"not ready" in ask(later, "/login")
    assert later.problem() == "could not be loaded"
    assert ask(later, "/readyz") == b"first"


def test_what_was_started_beside_and_fails_makes_the_service_not_ready(service: Service) -> None:
    service.runtime.watched["addresses"] = lambda: "could not be loaded"

    answer = service.client.get("/readyz")

    assert answer.status_code == 503
    assert answer.get_json()["problems"] == {"addresses": "could not be loaded"}
