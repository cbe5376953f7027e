"""Small labelled datasets in the exporter's format, made up, for the tests of training."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cds_service.domain.dataset import COLUMNS, FORMAT, MANIFEST_FILE, ROWS_FILE
from cds_service.domain.features import FEATURES, FEATURES_VERSION
from cds_service.domain.label import CATEGORIES
from training.comparison import Order
from training.params import read_params

# Rows of each state, and how far its patients' vital signs stand from a healthy adult's.
STATES = {"not-ill": (200, 0.0), "mild": (220, 0.6), "acute": (150, 2.6), "chronic": (120, 1.0), "terminal": (15, 1.4)}
_TYPES = {"text": pa.string(), "bool": pa.bool_()}


def write_dataset(directory: Path, columns: dict[str, np.ndarray], **manifest: object) -> Path:
    """A dataset of these columns, the others filled with what says nothing."""
    n = len(columns["age"])
    defaults = {
        "row": np.array([f"{i:08x}" for i in range(n)]),
        "patient": np.array([f"p{i:07x}" for i in range(n)]),
        "order": np.arange(n),
        "year": np.full(n, 2026),
        "weight": np.ones(n),
        "site": np.full(n, "a"),
        "source": np.full(n, "form"),
        "saw_prediction": np.full(n, "no"),
        "synthetic": np.full(n, True),
        "shown": np.full(n, False),
        "holdout": np.full(n, False),
    }
    table = {}
    for name, kind in COLUMNS.items():
        values = columns.get(name, defaults.get(name))
        arrow = _TYPES.get(kind) or pa.from_numpy_dtype(kind)
        table[name] = pa.nulls(n, arrow) if values is None else pa.array(np.asarray(values).tolist(), arrow)
    directory.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table), directory / ROWS_FILE)
    digest = hashlib.sha256((directory / ROWS_FILE).read_bytes()).hexdigest()
    document = {"format": FORMAT, "features_version": FEATURES_VERSION, "rows_sha256": digest, **manifest}
    (directory / MANIFEST_FILE).write_text(json.dumps(document))
    return directory


def features(severity: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Inputs of made-up adults the further from healthy the higher the severity, a tenth of the vitals missing."""
    rng = np.random.default_rng(seed)
    n = len(severity)
    noise = rng.normal(size=(7, n))
    columns = {
        "age": np.clip(45 + 9 * severity + 18 * noise[0], 18, 90).round(),
        "sex": rng.integers(0, 2, n),
        "heart_rate": (76 + 14 * severity + 10 * noise[1]).round(),
        "temperature": (36.7 + 0.4 * severity + 0.4 * noise[2]).round(1),
        "systolic_bp": (126 - 11 * severity + 13 * noise[3]).round(),
        "diastolic_bp": (77 - 7 * severity + 9 * noise[4]).round(),
        "respiratory_rate": (15 + 3.5 * severity + 2 * noise[5]).round(),
        "spo2": np.minimum(100, 98 - 2.2 * severity + 1.2 * noise[6]).round(),
        "arrived_by_ambulance": (rng.random(n) < 0.1 + 0.2 * severity).astype(float),
        "complaint_group": rng.integers(0, 30, n).astype(float),
        "chronic_count": rng.poisson(1.0, n).astype(float),
    }
    for name in FEATURES[2:8]:
        columns[name] = np.where(rng.random(n) < 0.1, np.nan, columns[name])
    return columns


def state_columns(seed: int = 0, counts: dict[str, tuple[int, float]] = STATES) -> dict[str, np.ndarray]:
    """Columns of a hospital's history with five states; chronic and terminal show in count and complaint."""
    rng = np.random.default_rng(seed)
    category = rng.permutation(np.concatenate([np.full(n, name) for name, (n, _) in counts.items()]))
    columns = features(np.array([counts[name][1] for name in category]), seed)
    columns["chronic_count"] = columns["chronic_count"] + 3.0 * np.isin(category, ["chronic", "terminal"])
    columns["complaint_group"] = np.where(category == "terminal", 45.0, columns["complaint_group"])
    return columns | {"category": category}


def risk_columns(n: int = 1500, prevalence: float = 0.2, seed: int = 0) -> dict[str, np.ndarray]:
    """Columns of visits of which a share ends in intensive care, the likelier the sicker."""
    rng = np.random.default_rng(seed)
    severity = rng.exponential(0.9, n)
    logits = 2.2 * severity
    cut = np.quantile(logits + rng.logistic(size=n), 1 - prevalence)
    icu = logits + rng.logistic(size=n) > cut
    return features(severity, seed) | {"icu_admission": icu}


assert set(STATES) == set(CATEGORIES)


def quick_params() -> dict:
    """The parameters of a comparison, cut down to seconds."""
    params = read_params()
    compare = params["compare"] | {"steps": ["shock-index"], "resamples": 20, "choice_rows": 500, "outer_folds": 2}
    families = {name: dict(settings) for name, settings in compare["families"].items()}
    families["random forest"]["n_estimators"] = 8
    families["XGBoost"] |= {"rounds": 12, "nthread": 1}
    families["LightGBM"]["n_estimators"] = 10
    families["MLP"] |= {"epochs": 10, "seeds": 1}
    families["SVM (Nystroem)"]["components"] = 20
    compare["families"] = families
    compare["arms"] = compare["arms"] | {"tried": ["smote"]}
    tiers = {name: tier | {"rounds": 12} for name, tier in params["tiers"].items()}
    return params | {"compare": compare, "tiers": tiers, "booster": params["booster"] | {"nthread": 1}}


def order(data: Path, out: Path, **known: object) -> Order:
    """An order for a comparison of the task named by the version's directory, without tuning."""
    out.parent.mkdir(parents=True, exist_ok=True)
    return Order(**{"task": out.parent.name, "data": data, "out": out, "trainer": "ada", "trials": {}} | known)
