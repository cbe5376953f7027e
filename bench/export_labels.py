"""How long a dataset of a million labelled predictions takes to write, and how much memory, reader and all."""

from __future__ import annotations

import os
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex
from uuid import UUID

from bench.processes import memory_mib
from bench.report import Figure
from cds_service.domain.label import CATEGORIES
from cds_service.domain.policy import AssessmentPolicy, ReadingPolicy
from cds_service.inference.codes import load_code_tables
from cds_service.inference.predictor import load_predictor
from cds_service.records.reader import snapshot_from_record
from cds_service.services.assess import assess
from cds_service.services.models import Serving
from cds_service.services.stored import outcome_bytes, snapshot_bytes
from cds_service.storage.prediction_log import new_prediction_id
from cds_service.storage.schema import migrate
from cds_service.storage.tables import labels, predictions, utc_text

ROOT = Path(__file__).parents[1]
_ROWS = 1_000_000
_KINDS = 500  # assessments made for real; every row holds one of them
_START = datetime(2024, 1, 1, tzinfo=UTC)
_AS_OF = "2026-06-01T00:00:00+00:00"
_LONGEST_S, _MOST_GB = 60.0, 2.0
_LOOK_S = 0.25


def measure(rows: int = _ROWS) -> list[Figure]:
    """Seconds and peak memory of `cds export-labels` over so many labelled predictions in SQLite."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        _fill(home / "cds.db", rows)
        command = [sys.executable, "-m", "cds_service.cli", "export-labels", "--task", "state", "--as-of", _AS_OF]
        variables = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "CDS_DATABASE_URL": f"sqlite:///{home}/cds.db",
            "CDS_SECRET_KEY": token_hex(32),
        }
        start = time.monotonic()
        process = subprocess.Popen([*command, "--out", str(home / "dataset")], env=variables, cwd=ROOT)
        most_mib, used = _watched(process)
        seconds = time.monotonic() - start
        if process.returncode:
            raise RuntimeError(f"export-labels ended with {process.returncode}")
        size = (home / "dataset" / "rows.parquet").stat().st_size
    return [
        Figure(f"dataset of {rows:,} labelled predictions", seconds, "s", at_most=_LONGEST_S),
        Figure("  of these on a processor", used.ru_utime + used.ru_stime, "s"),
        Figure("  memory of both processes at its peak", most_mib / 1024, "GB", at_most=_MOST_GB),
        Figure("  size of the file", size / 1024**2, "MB"),
    ]


def _watched(process: subprocess.Popen[bytes]) -> tuple[float, resource.struct_rusage]:
    """The most memory (MiB) resident at once in the process and its children, and what they used in all."""
    most = 0.0
    while True:
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
        if ended:
            process.returncode = os.waitstatus_to_exitcode(status)
            return most, used
        with suppress(OSError):  # a child that has just ended
            most = max(most, sum(memory_mib(process.pid)))
        time.sleep(_LOOK_S)


def _fill(path: Path, rows: int) -> None:
    migrate(f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    for table, made in ((predictions, _predictions), (labels, _labels)):
        names = list(table.columns.keys())
        insert = f"INSERT INTO {table.name} ({','.join(names)}) VALUES ({','.join('?' * len(names))})"
        connection.executemany(insert, ([row.get(name) for name in names] for row in made(rows)))
    connection.commit()
    connection.close()


def _id(number: int) -> UUID:
    return UUID(int=_at(number).timestamp().__trunc__() * 1000 << 80 | 0x7 << 76 | 0b10 << 62 | number)


def _at(number: int) -> datetime:
    return _START + timedelta(minutes=number % 1_000_000)


def _predictions(rows: int) -> Iterator[dict[str, object]]:
    kinds = _kinds()
    for number in range(rows):
        snapshot, outcome = kinds[number % _KINDS]
        yield {
            "id": _id(number).hex,
            "service": "vitals-risk",
            "tenant": "north",
            "environment": "production",
            "hook": "patient-view",
            "hook_instance": f"{number:032x}",
            "request_hash": b"",
            "reply": b"",
            "patient_key": f"{number % 400_000:032x}",
            "model_version": "1.0.0",
            "site_hash": "0" * 64,
            "created_at": utc_text(_at(number)),
            "language": "en",
            "shown": number % 3 > 0,
            "snapshot": snapshot,
            "outcome": outcome,
        }


def _labels(rows: int) -> Iterator[dict[str, object]]:
    for number in range(rows):
        at = utc_text(_at(number) + timedelta(days=1))
        yield {
            "id": UUID(int=number).hex,
            "kind": "label",
            "thread": f"form:{number}",
            "source": "form",
            "tenant": "north",
            "environment": "production",
            "actor": "ehr",
            "author": f"Practitioner/{number % 200}",
            "role": "client",
            "observed_at": at,
            "stands_at": at,
            "received_at": at,
            "saw_prediction": ("yes", "no", "unknown")[number % 3],
            "prediction_id": _id(number).hex,
            "patient_key": f"{number % 400_000:032x}",
            "category": CATEGORIES[number % len(CATEGORIES)],
        }


def _kinds() -> list[tuple[bytes, bytes]]:
    """Assessments of made-up patients, as the service stores them."""
    rng = random.Random(20260314)
    tables, models = load_code_tables(ROOT / "models"), Serving(load_predictor(ROOT / "models"))
    found = []
    for _ in range(_KINDS):
        record = {
            "age": rng.randint(18, 95),
            "sex": rng.choice(("male", "female")),
            "heart_rate": rng.randint(50, 140),
            "respiratory_rate": rng.randint(10, 32),
            "temperature": round(rng.uniform(35, 40), 1),
            "systolic_bp": rng.randint(90, 190),
            "diastolic_bp": rng.randint(50, 85),
            "spo2": rng.randint(86, 100),
            "consciousness": "A",
            "on_oxygen": rng.random() < 0.1,
        }
        snapshot = snapshot_from_record(record, at=_START, policy=ReadingPolicy(), tables=tables)
        policy = AssessmentPolicy()
        key = new_prediction_id(_START)
        made = assess(snapshot, prediction_id=key, models=models, policy=policy, site_hash="0" * 64)
        found.append((snapshot_bytes(snapshot), outcome_bytes(made)))
    return found
