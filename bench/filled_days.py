"""Days of invented predictions, cards, reports, labels and calls, put straight into a database of SQLite."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec

from cds_service.cdshooks.override_reasons import REASONS
from cds_service.demo.visits import Ward, visits
from cds_service.domain.label import ORPHA
from cds_service.domain.patient import NotUsed, UnusedReading
from cds_service.domain.phenotype import Candidate, Phenotype, Ranking, RareAssessment
from cds_service.domain.policy import AssessmentPolicy, ReadingPolicy
from cds_service.inference.codes import load_code_tables
from cds_service.inference.predictor import load_predictor
from cds_service.monitoring.calls import RouteCalls
from cds_service.monitoring.latency import EDGES_S, bucket
from cds_service.records.reader import snapshot_from_record
from cds_service.services.assess import assess
from cds_service.services.models import Serving
from cds_service.services.stored import outcome_bytes, snapshot_bytes
from cds_service.storage.prediction_log import new_prediction_id
from cds_service.storage.tables import utc_text

_MODELS = Path(__file__).parents[1] / "models"
_POOL = 1500
_JUDGED = ("id", "service", "tenant", "environment", "patient_key", "created_at")
_INDICATORS = {"high": "critical", "moderate": "warning"}


@dataclass(frozen=True)
class Filling:
    """What is put in: so many predictions over so many days up to `now`, of one tenant.

    `drifted_days` at the end have other pulses; of `labelled` of them the truth is known.
    """

    rows: int
    days: int
    now: datetime
    tenant: str = "north"
    environment: str = "production"
    labelled: float = 0.2
    drifted_days: int = 0
    seed: int = 7


@dataclass(frozen=True)
class _Ready:
    snapshot: bytes
    outcome: bytes
    reply: bytes
    needs_icu: bool


def fill(path: Path, filling: Filling) -> None:
    """Put it all in, in one transaction."""
    rng = random.Random(filling.seed)
    usual, drifted = _pool(filling, 0.0), _pool(filling, 22.0)
    judged: list[tuple[dict[str, Any], _Ready]] = []
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        _insert(connection, "predictions", _predictions(filling, usual, drifted, rng, judged))
        _insert(connection, "labels", _labels(filling, judged, rng))
        _insert(connection, "feedback", _reports(filling, judged, rng))
        _insert(connection, "daily_calls", _calls(filling, rng))
    connection.close()


def _pool(filling: Filling, faster: float) -> list[_Ready]:
    """Assessments of invented patients, some with readings nobody could use."""
    tables, model = load_code_tables(_MODELS), Serving(load_predictor(_MODELS))
    found = []
    for number, visit in enumerate(visits(_POOL, Ward(prevalence=0.03), filling.seed)):
        form = {**visit.form, "heart_rate": round(float(str(visit.form["heart_rate"])) + faster, 1)}
        if number % 12 == 0:
            form.pop("spo2")
        snapshot = snapshot_from_record(form, at=filling.now, policy=ReadingPolicy(), tables=tables)
        if number % 12 == 0:
            reason = NotUsed.UNKNOWN_UNIT if number % 24 else NotUsed.IMPLAUSIBLE
            snapshot = replace(snapshot, not_used=(UnusedReading("spo2", reason, "bench"),))
        prediction = assess(
            snapshot,
            prediction_id=UUID(int=number),
            models=model,
            policy=AssessmentPolicy(),
            site_hash="0" * 64,
        )
        band = prediction.risk.band if prediction.risk else "low"
        reply = msgspec.json.encode({"cards": [{"indicator": _INDICATORS.get(band, "info"), "summary": ""}]})
        found.append(_Ready(snapshot_bytes(snapshot), outcome_bytes(prediction), reply, visit.needs_icu))
    return found


def _predictions(
    filling: Filling,
    usual: list[_Ready],
    drifted: list[_Ready],
    rng: random.Random,
    judged: list[tuple[dict[str, Any], _Ready]],
) -> Iterator[dict[str, Any]]:
    """The rows; those that are labelled, or whose card is answered, are left in `judged` too."""
    span = timedelta(days=filling.days)
    for number in range(filling.rows):
        at = filling.now - span + span * (number / filling.rows)
        is_late = filling.now - at < timedelta(days=filling.drifted_days)
        ready = rng.choice(drifted if is_late else usual)
        if number % 400 == 0:
            ready = _ranking(at, rng)
        row = _row(filling, number, at, ready)
        if number % 400 == 0 or rng.random() < filling.labelled:
            judged.append(({name: row[name] for name in _JUDGED}, ready))
        yield row


def _row(filling: Filling, number: int, at: datetime, ready: _Ready) -> dict[str, Any]:
    return {
        "id": new_prediction_id(at).hex,
        "service": "rare-disease" if b'"rare"' in ready.outcome[:20] else "vitals-risk",
        "tenant": filling.tenant,
        "environment": filling.environment,
        "hook": "patient-view",
        "hook_instance": uuid4().hex,
        "request_hash": bytes(32),
        "reply": ready.reply,
        "patient_key": f"{number // 3 % 200_000:032x}",
        "model_version": "1.0.0",
        "site_hash": "0" * 64,
        "created_at": utc_text(at),
        "language": "en",
        "shown": True,
        "snapshot": ready.snapshot,
        "outcome": ready.outcome,
    }


def _ranking(at: datetime, rng: random.Random) -> _Ready:
    candidates = tuple(
        Candidate(f"ORPHA:{place + 1}", "", (), "low", 1.0, (), (), (), ()) for place in rng.sample(range(15), 10)
    )
    ranking = Ranking(candidates, (), 0.5, "medium", 4, None, "1.0.0", "2026-01")
    snapshot = snapshot_from_record({"age": 9}, at=at, policy=ReadingPolicy(), tables=load_code_tables(_MODELS))
    assessment = RareAssessment(UUID(int=0), snapshot, Phenotype(()), ranking, "0" * 64)
    return _Ready(snapshot_bytes(snapshot), outcome_bytes(assessment), b'{"cards":[{"indicator":"info"}]}', False)


def _labels(
    filling: Filling, made: list[tuple[dict[str, Any], _Ready]], rng: random.Random
) -> Iterator[dict[str, Any]]:
    for row, ready in made:
        is_rare = row["service"] == "rare-disease"
        state = "acute" if ready.needs_icu else rng.choice(("not-ill", "mild", "mild", "chronic"))
        yield {
            "id": uuid4().hex,
            "kind": "label",
            "thread": uuid4().hex,
            "source": "form",
            **{name: row[name] for name in ("tenant", "environment", "patient_key")},
            "actor": "bench",
            "author": "",
            "role": "clinician",
            **dict.fromkeys(("observed_at", "stands_at", "received_at"), row["created_at"]),
            "saw_prediction": rng.choice(("yes", "no")),
            "prediction_id": row["id"],
            "category": None if is_rare else state,
            "code_system": ORPHA if is_rare else None,
            "code": str(rng.randint(1, 15)) if is_rare else None,
            "icu_admission": None if is_rare else ready.needs_icu,
        }


def _reports(
    filling: Filling, made: list[tuple[dict[str, Any], _Ready]], rng: random.Random
) -> Iterator[dict[str, Any]]:
    for row, _ in made:
        if rng.random() > 0.5:
            continue
        reason = rng.choice(REASONS)
        is_overridden = rng.random() < 0.7
        yield {
            "id": uuid4().hex,
            "tenant": filling.tenant,
            "environment": filling.environment,
            "card": row["id"],
            "outcome": "overridden" if is_overridden else "accepted",
            "outcome_timestamp": row["created_at"],
            "content_hash": bytes(32),
            "received_at": row["created_at"],
            "actor": "bench",
            "reason_system": reason.system if is_overridden else None,
            "reason_code": reason.code if is_overridden else None,
            "suggestions": "[]",
        }


def _calls(filling: Filling, rng: random.Random) -> Iterator[dict[str, Any]]:
    for back in range(filling.days):
        routes = {}
        for route in ("/cds-services/<service_id>", "/fhir/$assess", "/hl7/v2", "pages"):
            seconds = [0] * (len(EDGES_S) + 1)
            for _ in range(200):
                seconds[bucket(rng.lognormvariate(-4.2, 0.7))] += filling.rows // filling.days // 600 + 1
            statuses = {"200": sum(seconds), "400": rng.randint(0, 4), "503": int(rng.random() < 0.1)}
            routes[route] = RouteCalls(statuses, seconds)
        yield {
            "tenant": filling.tenant,
            "environment": filling.environment,
            "day": (filling.now - timedelta(days=back)).date().isoformat(),
            "process": "bench",
            "content": msgspec.json.encode(routes),
        }


def _insert(connection: sqlite3.Connection, table: str, rows: Iterator[dict[str, Any]]) -> None:
    first = next(rows, None)
    if first is None:
        return
    names = list(first)
    sql = f"INSERT INTO {table} ({','.join(names)}) VALUES ({','.join('?' * len(names))})"
    connection.execute(sql, [first[name] for name in names])
    connection.executemany(sql, ([row[name] for name in names] for row in rows))
