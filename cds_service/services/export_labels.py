"""A dataset of labelled predictions as of a moment: rows, manifest, and the audit of having been made.

The same database, rules and keys give the same bytes, whatever was said after the moment.
"""

from __future__ import annotations

import gc
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from cds_service.domain.dataset import CLASSES, COLUMNS, FORMAT, MANIFEST_FILE, ROWS_FILE, class_of
from cds_service.domain.features import FEATURES, FEATURES_VERSION
from cds_service.domain.sway import weights
from cds_service.errors import Conflict, DataRequired
from cds_service.services.dataset_rows import BESIDE, HISTORY_SERVICE, Chosen, Tally, columns_of
from cds_service.services.stored import contents_from_bytes
from cds_service.storage.labelled_log import count_predictions, read_labelled
from cds_service.storage.parquet import DatasetRows
from cds_service.storage.patient_facts import read_patient_facts
from cds_service.storage.sessions import reading


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and where."""

    directory: Path
    manifest: dict[str, Any]


def export_labels(chosen: Chosen, out: Path, *, engine: Engine, record: Callable[[dict[str, Any]], None]) -> Exported:
    """Write the dataset to `out`; `record` is told the manifest before anything is seen there.

    Raises Conflict where something is at `out`, DataRequired where no row is left.
    """
    if out.exists():
        raise Conflict("is there already: give another directory", where=str(out))
    with _without_collecting():
        rows, tally, predictions = _read(chosen, engine)
    if not rows.count:
        raise DataRequired(f"no labelled prediction can be used: {_told(tally.excluded)}", where=chosen.task)
    classes = [class_of(fact) for fact in rows.column(chosen.fact).tolist()]
    rows.add({"order": _ranks(rows.column("at")), "weight": _weights(rows, classes, chosen)})
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        written = [name for name in COLUMNS if name in chosen.rules.columns]
        digest = rows.write(staging / ROWS_FILE, sort_by="row", columns=written)
        manifest = _manifest(rows, classes, tally, predictions, chosen) | {"rows_sha256": digest}
        encoded = msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=2)
        (staging / MANIFEST_FILE).write_bytes(encoded + b"\n")
        record(manifest)
        staging.rename(out)
    except BaseException:  # whatever ends it: half a dataset must not be left to be taken for a whole one
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return Exported(out, manifest)


def _read(chosen: Chosen, engine: Engine) -> tuple[DatasetRows, Tally, int]:
    rows, tally = DatasetRows({**COLUMNS, **BESIDE}), Tally()
    with reading(engine) as connection:
        predictions = count_predictions(connection, chosen.as_of, chosen.since, without=HISTORY_SERVICE)
        known = read_patient_facts(connection, chosen.as_of)
    for batch in read_labelled(engine, chosen.as_of, chosen.since, decode=contents_from_bytes):
        rows.add(columns_of(batch, chosen, tally, known))
    return rows, tally, predictions


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Leave cycles be meanwhile: rows make none, and looking for them costs a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _ranks(at: NDArray[np.int64]) -> NDArray[np.int32]:
    """The place of each moment among all, equal ones alike: an order in time without a date."""
    return np.unique(at, return_inverse=True)[1].astype(np.int32)


def _weights(rows: DatasetRows, classes: Sequence[str], chosen: Chosen) -> NDArray[np.float32]:
    sights, said = (rows.column(name).tolist() for name in ("sight", "said"))
    return weights(sights, said, classes, cap=chosen.rules.weight_cap)


def _manifest(
    rows: DatasetRows, classes: Sequence[str], tally: Tally, predictions: int, chosen: Chosen
) -> dict[str, Any]:
    by_class = Counter(classes)
    synthetic = rows.column("synthetic")
    unlabelled = max(0, predictions - tally.labelled)
    return {
        "format": FORMAT,
        "task": chosen.task,
        "as_of": chosen.as_of.isoformat(),
        "since": None if chosen.since is None else chosen.since.isoformat(),
        "policy": chosen.policy,
        "query": "labelled predictions of production, labels received by as_of",
        "maturity_days": {name: chosen.rules.maturity_days[name] for name in CLASSES[chosen.task]},
        "holdout_share": chosen.rules.holdout_share,
        "weight_cap": chosen.rules.weight_cap,
        "features_version": FEATURES_VERSION,
        "columns": [name for name in COLUMNS if name in chosen.rules.columns],
        "counts": {
            "rows": rows.count,
            "by_class": {name: by_class.get(name, 0) for name in CLASSES[chosen.task]},
            "patients": len(set(rows.column("patient").tolist())),
            **{f"by_{name}": dict(Counter(rows.column(name).tolist())) for name in ("source", "sight")},
        },
        "excluded": dict(tally.excluded) | ({"unlabelled": unlabelled} if unlabelled else {}),
        "agreement": tally.agreement.document(),
        "histograms": {name: _histogram(rows.column(name)) for name in FEATURES},
        "synthetic": bool(synthetic.any()),
    }


def _histogram(column: NDArray[np.float32]) -> dict[str, Any]:
    """Deciles, counts and missing share of an input: what drift is later compared with."""
    known = column[~np.isnan(column)].astype(np.float64)
    edges = np.unique(np.quantile(known, np.linspace(0.1, 0.9, 9))) if len(known) else np.array([])
    counts = np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1)
    return {
        "edges": edges.round(6).tolist(),
        "counts": counts.tolist(),
        "missing_share": round(float(1 - len(known) / len(column)), 6),
    }


def _told(excluded: Counter[str]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in sorted(excluded.items())) or "there is none"
