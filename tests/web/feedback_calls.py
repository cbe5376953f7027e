"""Feedback and labels for the tests of the whole service: cards to report on, who reports, and what was stored."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.cdshooks.override_reasons import OWN_REASONS
from cds_service.domain.actor import LOCAL
from tests.conftest import NOW, Service
from tests.web.calls import PATH, Json, card, fixture, post

FEEDBACK = f"{PATH}/feedback"


def acting(service: Service, **changes: str) -> FlaskClient:
    """A client whose calls are those of another actor; production unless told otherwise."""
    settings = service.runtime.settings
    actor = replace(LOCAL, **{"environment": "production", **changes})
    service.runtime.settings = replace(settings, clients=replace(settings.clients, local=actor))
    return service.client


def a_card(client: FlaskClient) -> str:
    """The uuid of a card that was just shown."""
    return str(card(client, fixture())["uuid"])


def overridden(card_id: str, code: str | None = None, *, minutes: float = 1, **members: Any) -> Json:
    """A report that the card was overridden, so many minutes ago, for one of our reasons."""
    reason = {"overrideReason": {"reason": {"code": code, "system": OWN_REASONS}}} if code else {}
    return {"card": card_id, "outcome": "overridden", "outcomeTimestamp": ago(minutes), **reason, **members}


def accepted(card_id: str, *, minutes: float = 1) -> Json:
    """A report that a suggestion was accepted, so many minutes ago."""
    return {
        "card": card_id,
        "outcome": "accepted",
        "outcomeTimestamp": ago(minutes),
        "acceptedSuggestions": [{"id": "a"}],
    }


def ago(minutes: float, *, at: datetime = NOW) -> str:
    """So many minutes before the moment of the tests, in UTC."""
    return (at - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def report(client: FlaskClient, *items: Any, path: str = FEEDBACK) -> TestResponse:
    """The answer to a feedback call with these items."""
    return post(client, {"feedback": list(items)}, path)


def stored(service: Service, query: str) -> list[Any]:
    """What the database answers; single columns without their tuple."""
    with closing(sqlite3.connect(service.database)) as connection:
        rows = connection.execute(query).fetchall()
    return [row[0] if len(row) == 1 else row for row in rows]
