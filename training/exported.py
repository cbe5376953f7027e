"""Reads a dataset of labelled predictions, as `cds export-labels` writes it, and refuses what must not be pooled."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cds_service.domain.dataset import COLUMNS, FORMAT, MANIFEST_FILE, ROWS_FILE, TASKS
from cds_service.domain.features import FEATURES, FEATURES_VERSION
from cds_service.errors import ConfigurationError
from training.dataset import Dataset
from training.task import Task

_NEEDED = ("patient", "order", "year", *FEATURES, "shown", "holdout", "weight", "site", "synthetic")


def is_exported(directory: Path) -> bool:
    """Whether the directory holds an exported dataset."""
    return (directory / MANIFEST_FILE).exists()


def read_exported(directory: Path, task: Task) -> Dataset:
    """The rows of a task whose outcome is known; ConfigurationError when they are not those of the manifest."""
    manifest = _manifest(directory)
    table = pq.read_table(directory / ROWS_FILE)
    _require_columns(set(table.column_names), task, where=str(directory / ROWS_FILE))
    columns = {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}
    y, known = _outcome(columns, task)
    data = Dataset(
        X=np.array([columns[name] for name in FEATURES], dtype=np.float32).T,
        y=y,
        year=columns["year"].astype(np.int16),
        order=columns["order"].astype(np.int32),
        patient=_numbers(columns["patient"]),
        site=_numbers(columns["site"]),
        shown=columns["shown"].astype(bool),
        holdout=columns["holdout"].astype(bool),
        weight=columns["weight"].astype(np.float64),
        answered_by=_texts(columns.get("model_version"), len(y)),
        saw=_texts(columns.get("saw_prediction"), len(y)),
        agreed=_flags(columns.get("agreed"), len(y)),
        sha256=manifest["rows_sha256"],
        synthetic=bool(columns["synthetic"][known].any()),
    )
    if len(set(columns["synthetic"][known].tolist())) > 1:
        raise ConfigurationError("made-up rows stand among real ones: never learn from both", where=str(directory))
    return _in_an_order_that_repeats(data.rows(known))


def _in_an_order_that_repeats(data: Dataset) -> Dataset:
    """Rows by time and content, patients numbered as they come.

    The keys a file is sorted by come from random ids. What is drawn by a seed would part the same visits otherwise in
    every database.
    """
    ordered = data.rows(np.lexsort((*data.X.T, data.weight, data.y, data.order)))
    return replace(ordered, patient=_as_they_come(ordered.patient), site=_as_they_come(ordered.site))


def _as_they_come(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    _, first, index = np.unique(keys, return_index=True, return_inverse=True)
    found: NDArray[np.int64] = np.argsort(np.argsort(first, kind="stable"), kind="stable")[index]
    return found


def forbidden_columns(directory: Path) -> tuple[str, ...]:
    """Columns of the dataset's file that no dataset may hold."""
    return tuple(_unknown(set(pq.read_schema(directory / ROWS_FILE).names)))


def rows_sha256(directory: Path) -> str:
    """SHA-256 of the dataset's rows as they lie there."""
    return hashlib.sha256((directory / ROWS_FILE).read_bytes()).hexdigest()


def _unknown(found: set[str]) -> list[str]:
    return sorted(found - set(COLUMNS))


def _require_columns(found: set[str], task: Task, where: str) -> None:
    """Refuse a column outside the allowed list (it could name a patient), and the lack of one that is needed."""
    unknown, absent = _unknown(found), sorted({*_NEEDED, TASKS[task.name]} - found)
    if unknown:
        raise ConfigurationError(f"holds columns no dataset may hold: {', '.join(unknown)}", where=where)
    if absent:
        raise ConfigurationError(f"lacks what training needs: {', '.join(absent)}", where=where)


def _manifest(directory: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((directory / MANIFEST_FILE).read_bytes())
        found = rows_sha256(directory)
    except (OSError, ValueError) as problem:
        raise ConfigurationError("holds no dataset that can be read", where=str(directory)) from problem
    if (manifest.get("format"), manifest.get("features_version")) != (FORMAT, FEATURES_VERSION):
        raise ConfigurationError(
            f"is not of format {FORMAT} with features {FEATURES_VERSION}: export it anew", where=str(directory)
        )
    if found != manifest.get("rows_sha256"):
        raise ConfigurationError("was changed after the export (its SHA-256 differs)", where=str(directory / ROWS_FILE))
    return manifest


def _outcome(columns: dict[str, NDArray[Any]], task: Task) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Class of each row, and whether it is known; unlabelled is not negative."""
    if task.name == "risk":
        found = columns["icu_admission"]
        known = np.array([value is not None for value in found])
        return np.array([bool(value) for value in found], dtype=np.int8), known
    number = {name: k for k, name in enumerate(task.classes)}
    y = np.array([number.get(name, -1) for name in columns["category"]], dtype=np.int8)
    return y, y >= 0


def _texts(found: NDArray[Any] | None, n: int) -> NDArray[np.str_]:
    """Empty where there is none."""
    return np.full(n, "") if found is None else np.array([text or "" for text in found], dtype=np.str_)


def _flags(found: NDArray[Any] | None, n: int) -> NDArray[np.float64]:
    """1 for yes, 0 for no, NaN where it is not known."""
    return np.full(n, np.nan) if found is None else np.array([np.nan if one is None else float(one) for one in found])


def _numbers(texts: NDArray[Any]) -> NDArray[np.int64]:
    return np.unique(texts.astype(str), return_inverse=True)[1].astype(np.int64)
