"""The training data: reads the survey file and gives columns exactly as serving computes them."""

from __future__ import annotations

import gzip
import hashlib
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.complaints import COMPLAINT_RANK
from cds_service.domain.features import Columns, Matrix, feature_matrix
from cds_service.errors import ConfigurationError

DATA_FILE = "nhamcs_ed_2015_2020.csv.gz"
TABLES = Path(__file__).parent / "tables"
ADULT_YEARS = 18

# Column of the file -> feature; the survey's units are ours (degrees Celsius, mm[Hg], /min, %).
_COLUMNS = {
    "age": "age",
    "sex": "sex",
    "heart_rate": "hr",
    "temperature": "temp",
    "systolic_bp": "sbp",
    "diastolic_bp": "dbp",
    "respiratory_rate": "rr",
    "spo2": "spo2",
    "arrived_by_ambulance": "ems",
    "chronic_count": "totchron",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Adult emergency visits, row by row: feature matrix, outcome and where each row came from.

    `y` is the number of the class (in task risk 1 = admitted to intensive care), `order` the rank by time, `patient`
    and `site` numbers that mean nothing else, `shown` whether the clinician was shown the prediction, `holdout` whether
    the patient is kept from training, `weight` what a row counts for in fitting and in every figure, `answered_by` the
    version that was in force when the visit was asked about, empty where none is known. `saw` says whether the author
    of the label had seen the prediction (yes, no, unknown), `agreed` whether they agree with it (1, 0, NaN if unknown).
    """

    X: Matrix
    y: NDArray[np.int8]
    year: NDArray[np.int16]
    order: NDArray[np.int32]
    patient: NDArray[np.int64]
    site: NDArray[np.int64]
    shown: NDArray[np.bool_]
    holdout: NDArray[np.bool_]
    weight: NDArray[np.float64]
    answered_by: NDArray[np.str_]
    saw: NDArray[np.str_]
    agreed: NDArray[np.float64]
    sha256: str
    synthetic: bool = False

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Dataset:
        """The chosen rows, by flags or by numbers."""
        kept: dict[str, Any] = {name: getattr(self, name)[chosen] for name in _BY_ROW}
        return replace(self, **kept)

    def joined(self, other: Dataset) -> Dataset:
        """These rows and then the other's."""
        both: dict[str, Any] = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in _BY_ROW}
        return replace(self, **both)


_BY_ROW = ("X", "y", "year", "order", "patient", "site", "shown", "holdout", "weight", "answered_by", "saw", "agreed")


def read_dataset(data_dir: Path) -> Dataset:
    """Adults of the survey file in `data_dir`; ConfigurationError when it cannot be read."""
    path = data_dir / DATA_FILE
    try:
        packed = path.read_bytes()
    except OSError as problem:
        raise ConfigurationError("cannot be read", where=str(path)) from problem
    header, *lines = gzip.decompress(packed).decode("ascii").splitlines()
    table = np.genfromtxt(lines, delimiter=",", dtype=np.float64)
    raw = dict(zip(header.split(","), table.T, strict=True))
    year = raw["year"].astype(np.int16)
    return Dataset(
        X=feature_matrix(columns_from_survey(raw)),
        y=raw["icu"].astype(np.int8),
        year=year,
        order=year.astype(np.int32),
        patient=np.arange(len(year)),  # the survey counts visits: each is a patient of its own
        site=np.zeros(len(year), dtype=np.int64),
        shown=np.zeros(len(year), dtype=np.bool_),
        holdout=np.zeros(len(year), dtype=np.bool_),
        weight=np.ones(len(year)),
        answered_by=np.full(len(year), ""),
        saw=np.full(len(year), "no"),
        agreed=np.full(len(year), np.nan),
        sha256=hashlib.sha256(packed).hexdigest(),
    ).rows(raw["age"] >= ADULT_YEARS)


def survey_sha256(data_dir: Path) -> str:
    """SHA-256 of the survey file."""
    return hashlib.sha256((data_dir / DATA_FILE).read_bytes()).hexdigest()


def columns_from_survey(raw: dict[str, NDArray[np.float64]]) -> Columns:
    """Feature columns from columns of the survey file; its blank is our NaN."""
    columns = {name: raw[column] for name, column in _COLUMNS.items()}
    ranks = _rank_by_code()
    columns["complaint_group"] = np.array([ranks.get(int(code), np.nan) for code in raw["rfv1"]])
    return columns


def _rank_by_code() -> dict[int, float]:
    """Complaint rank of every reason-for-visit code, as the file writes them (1050.1 is 10501)."""
    groups = tomllib.loads((TABLES / "complaints.toml").read_text(encoding="utf-8"))
    return {
        code: COMPLAINT_RANK[group]
        for group, entry in groups.items()
        for first, last in (span.replace(".", "").split("-") for span in entry["rfv"])
        for code in range(int(first), int(last) + 1)
    }
