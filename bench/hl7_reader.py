"""What reading an HL7 v2 message costs: beside hl7apy, by size, and when it is refused."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from bench.report import Figure
from cds_service.domain.codes import CodeTables
from cds_service.domain.policy import ReadingPolicy
from cds_service.errors import InvalidMessage
from cds_service.hl7.reader import read_message, snapshot_from_message

_AT = datetime(2026, 3, 14, 8, 40, tzinfo=UTC)
_TABLES = CodeTables("bench", {}, {}, {}, {}, {})
_ROUNDS = 7

_HEAD = (
    "MSH|^~\\&|MONITOR|ED|CDS|HOSP|20260314083000+0100||ORU^R01^ORU_R01|M1|P|2.5.1",
    "PID|1||P1^^^HOSP^MR||Ejemplo^Rosa||19541102|F",
    "PV1|1|E|ED^01^1",
    "OBR|1|PL1|FI1|85353-1^Vital signs panel^LN|||20260314082500+0100",
)
_VITALS = (
    ("8867-4^Heart rate^LN", "118", "/min"),
    ("9279-1^Respiratory rate^LN", "26", "/min"),
    ("8310-5^Body temperature^LN", "38.9", "Cel"),
    ("59408-5^Oxygen saturation in Arterial blood by Pulse oximetry^LN", "91", "%"),
    ("3151-8^Inhaled oxygen flow rate^LN", "0", "L/min"),
    ("8480-6^Systolic blood pressure^LN", "96", "mm[Hg]"),
    ("8462-4^Diastolic blood pressure^LN", "58", "mm[Hg]"),
    ("29463-7^Body weight^LN", "62", "kg"),
)


def measure() -> list[Figure]:
    """Ratios of CPU time, each from rounds that alternate."""
    message = _message(_OBSERVATIONS)
    ours, theirs = _costs(lambda: _read(message), lambda: _parse(message))
    small, large = (_message(_OBSERVATIONS, size) for size in (128 * 1024, 1024 * 1024 - 1))
    for_small, for_large = _costs(lambda: _read(small), lambda: _read(large))
    flood = _message(["OBX|1"] * 90_000)
    for_flood, for_good = _costs(lambda: _refuse(flood), lambda: _parse(message))
    return [
        Figure("8 OBX parsed by hl7apy / read into a snapshot", theirs / ours, "times", at_least=50),
        Figure("1 MiB read / 128 KiB read, per byte", for_large / for_small / 8, "times", at_most=1.2),
        Figure("flood of 90,000 segments refused / 8 OBX parsed by hl7apy", for_flood / for_good, "times", at_most=1),
    ]


_OBSERVATIONS = [
    f"OBX|{number}|NM|{code}||{value}|{unit}|||||F|||20260314082500+0100"
    for number, (code, value, unit) in enumerate(_VITALS, 1)
]


def _message(observations: list[str], size: int = 0) -> bytes:
    """The observations, repeated with notes between them until the message has about `size` bytes."""
    lines = [*_HEAD, *observations]
    made = "\r".join(lines) + "\r"
    note = "NTE|1||" + "observed at the bedside " * 250
    block = "\r".join([*observations, note]) + "\r"
    return (made + block * ((size - len(made)) // len(block))).encode() if size else made.encode()


def _read(raw: bytes) -> None:
    snapshot_from_message(read_message(raw), at=_AT, policy=ReadingPolicy(), tables=_TABLES)


def _parse(raw: bytes) -> None:
    parse_message(raw.decode(), validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=True)


def _refuse(raw: bytes) -> None:
    try:
        read_message(raw)
    except InvalidMessage:
        return
    raise RuntimeError("the flood was read")


def _costs(*calls: Callable[[], None]) -> list[float]:
    """Median CPU seconds of one call of each, in rounds that alternate; a call is repeated to last 20 ms."""
    counts = [max(1, int(0.02 / _seconds(call, 1))) for call in calls]
    rounds = [
        [_seconds(call, count) / count for call, count in zip(calls, counts, strict=True)] for _ in range(_ROUNDS)
    ]
    return [median(costs) for costs in zip(*rounds, strict=True)]


def _seconds(call: Callable[[], None], count: int) -> float:
    gc.collect()
    started = time.process_time()
    for _ in range(count):
        call()
    return max(time.process_time() - started, 1e-6)
