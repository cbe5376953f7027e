"""What clinicians say back, held against the database: for each hook its feedback, a label and its correction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from bench.client import Connection, post
from cds_service.cdshooks.override_reasons import OWN_REASONS
from tests.chaos.ledger import HOOK, Ledger
from tests.databases import Database


class Said(NamedTuple):
    """One call about the card of a numbered hook."""

    number: int
    mode: str


# What each call leaves, once: a report on the card, and events of the ledger by source and category.
LEFT: dict[str, tuple[str, ...]] = {
    "feedback": ("report", "feedback acute"),
    "label": ("form mild",),
    "correction": ("form acute",),
}
_ROWS = "SELECT card, 'report' FROM feedback UNION ALL SELECT prediction_id, source || ' ' || category FROM labels"


class Conversations(Ledger):
    """Hooks, and all that follows each: the same bytes whenever it is said again."""

    CALLS = 1 + len(LEFT)

    def __init__(self) -> None:
        super().__init__()
        self._outcome_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.said: dict[Said, bytes] = {}
        self.cards: dict[int, UUID] = {}

    def ask(self, number: int, connection: Connection) -> None:
        """The hook, then what is said of its card."""
        super().ask(number, connection)
        card = json.loads(self.acknowledged[number])["cards"][0]["uuid"]
        self.cards[number] = UUID(card)
        report = {
            "card": card,
            "outcome": "overridden",
            "outcomeTimestamp": self._outcome_at,
            "overrideReason": {"reason": {"code": "acute", "system": OWN_REASONS}},
        }
        label = {"category": "mild", "author": f"Practitioner/{number}", "saw_prediction": "yes"}
        self._say(Said(number, "feedback"), f"{HOOK}/feedback", {"feedback": [report]}, connection)
        first = self._say(Said(number, "label"), f"/predictions/{card}/labels", label, connection)
        correction = {**label, "category": "acute", "supersedes": json.loads(first)["id"]}
        self._say(Said(number, "correction"), f"/predictions/{card}/labels", correction, connection)

    def unanswered(self) -> list[int]:
        """Numbers of which something is still to be said."""
        return [number for number in range(self.asked) if Said(number, "correction") not in self.said]

    def _say(self, said: Said, path: str, body: Any, connection: Connection) -> bytes:
        status, reply = connection.call(post(path, json.dumps(body).encode()))
        with self._lock:
            self.statuses[status] += 1
            if status == 200 and self.said.setdefault(said, reply) != reply:
                self.changed.add(said.number)
        return reply


def lost_or_doubled(database: Database, ledger: Conversations) -> list[Said]:
    """What was acknowledged and did not leave each of its rows once; AssertionError for a row there is twice."""
    found: Counter[tuple[UUID, str]] = Counter((UUID(str(card)), row) for card, row in database.rows(_ROWS))

    assert set(found.values()) <= {1}
    assert _cards(found, "report") == _cards(found, "feedback acute")  # of one transaction
    return [said for said in ledger.said if not all(found[ledger.cards[said.number], row] for row in LEFT[said.mode])]


def assert_each_is_audited_once(database: Database) -> None:
    """As many events of the audit log as there are reports and labels, each of another."""
    query = "SELECT count(*), count(DISTINCT object_id) FROM audit WHERE object_type = '{}'"
    for what, table in (("feedback", "feedback"), ("label", "labels")):
        [(rows,)] = database.rows(f"SELECT count(*) FROM {table}")

        assert database.rows(query.format(what)) == [(rows, rows)]


def _cards(found: Iterable[tuple[UUID, str]], row: str) -> set[UUID]:
    return {card for card, kind in found if kind == row}
