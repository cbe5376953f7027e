"""The invented hospital over HTTP: it asks for predictions and tells what became of its patients, as clients do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from http.client import HTTPConnection
from typing import Any, NamedTuple

from cds_service.demo.visits import Saying, Visit, Ward, sayings
from cds_service.errors import Unavailable


class Asked(NamedTuple):
    """A visit, and the prediction it was answered with."""

    visit: Visit
    prediction: dict[str, Any]


class Caller:
    """One keep-alive connection of a system with its token."""

    def __init__(self, port: int, token: str, *, host: str = "127.0.0.1") -> None:
        self._connection = HTTPConnection(host, port, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def post(self, path: str, body: dict[str, object]) -> dict[str, Any]:
        """The answer as JSON; Unavailable for any that is no success."""
        return self._answer("POST", path, json.dumps(body))

    def get(self, path: str) -> dict[str, Any]:
        """The document at an address as JSON; Unavailable for any answer that is no success."""
        return self._answer("GET", path, None)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _answer(self, method: str, path: str, body: str | None) -> dict[str, Any]:
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        if response.status >= 300:
            raise Unavailable(f"the service answered {response.status}", where=path)
        document: dict[str, Any] = json.loads(content)
        return document


def ask(caller: Caller, found: Iterable[Visit]) -> list[Asked]:
    """The predictions for these visits, one after the other."""
    return [Asked(visit, caller.post("/predict", visit.form)) for visit in found]


def tell(caller: Caller, asked: Sequence[Asked], ward: Ward, seed: int) -> int:
    """Say what became of the patients, long after they were seen; how many labels were sent."""
    count = 0
    for visit, prediction in asked:
        said_high = (prediction["risk"] or {}).get("band") == "high"
        first = ""
        for saying in sayings(visit, ward, said_high=said_high, seed=seed):
            stored = caller.post(f"/predictions/{prediction['id']}/labels", _label(saying, first))
            first = first or stored["id"]
            count += 1
    return count


def _label(saying: Saying, first: str) -> dict[str, object]:
    body: dict[str, object] = {
        "author": saying.clinician,
        "icu_admission": saying.icu_admission,
        "saw_prediction": saying.saw_prediction,
    }
    return body | {"supersedes": first} if saying.corrects else body
