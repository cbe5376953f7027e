"""The risk model from data to a published artifact, in straight stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.complaints import COMPLAINT_GROUPS
from cds_service.domain.features import FEATURES, FEATURES_VERSION
from cds_service.inference.predictor import load_predictor
from cds_service.inference.tiers import TIERS
from training.card import card_text
from training.dataset import DATA_FILE, read_dataset
from training.evaluate import evaluate, reference_histograms
from training.fit import booster_margins, calibration_from_margins, fit_booster
from training.golden import as_lists, golden_rows
from training.graph import onnx_from_forest
from training.publish import json_bytes, npz_bytes, provenance, staged, write_artifact
from training.shap_tables import shap_arrays
from training.split import Split, split_by_year
from training.trees import forest_from_booster

TERMS = (
    "US government public-use file. NCHS terms: statistical reporting and analysis only, no re-identification, "
    "no linking with other data."
)
CITATION = (
    "National Center for Health Statistics. National Hospital Ambulatory Medical Care Survey, emergency department "
    "public-use files, 2015-2020. Tidied features: mboros1/nhamcs_model at 0295195."
)

Report = Callable[[str], None]


def train_risk(
    data_dir: Path, target: Path, params: Mapping[str, Any], *, force: bool, report: Report
) -> dict[str, Any]:
    """Publish a risk model at `target`; what its evaluation says. Nothing is fitted after the artifact is written."""
    report(f"reading {DATA_FILE}")
    data = read_dataset(data_dir)
    split = split_by_year(data, params["split"])
    with staged(target, force=force) as staging:
        files = model_files(split, params, report)
        manifest = risk_described(split, params) | _of_survey(data.sha256)
        write_artifact(staging, files, manifest)
        predictor = load_predictor(staging.parents[1], staging.parent.name, staging.name)
        report("evaluating the artifact")
        evaluation = evaluate(predictor, split, params["evaluation"])
        files |= {
            "evaluation.json": json_bytes(evaluation),
            "reference.json": json_bytes(reference_histograms(split, predictor)),
            "card.md": card_text(target.name, evaluation, data.sha256).encode(),
        }
        write_artifact(staging, files, manifest)
    report(f"published {target}")
    return evaluation


def model_files(
    split: Split, params: Mapping[str, Any], report: Report, before: Mapping[str, bytes] = MappingProxyType({})
) -> dict[str, bytes]:
    """Boosters, graphs, SHAP tables, calibration and golden rows of the three tiers.

    Where `before` holds a tier's booster, that one is continued.
    """
    files: dict[str, bytes] = {}
    arrays: dict[str, NDArray[Any]] = {}
    calibration, margins, golden = {}, {}, golden_rows(params["golden_seed"])
    for name, columns in TIERS.items():
        report(f"fitting {name}: {len(columns)} inputs")
        booster = fit_booster(split.fit, columns, tier_params(params, name), before.get(f"{name}.ubj"))
        forest = forest_from_booster(booster)
        files |= {f"{name}.ubj": bytes(booster.save_raw("ubj")), f"{name}.onnx": onnx_from_forest(forest)}
        arrays |= {f"{name}.{key}": array for key, array in shap_arrays(forest).items()}
        calibration[name] = calibration_from_margins(booster_margins(booster, split.calibration.X), split.calibration)
        margins[name] = [round(float(margin), 6) for margin in booster_margins(booster, golden)]
    return files | {
        "shap.npz": npz_bytes(arrays),
        "calibration.json": json_bytes(calibration),
        "golden.json": json_bytes({"rows": as_lists(golden), "margins": margins}),
    }


def risk_described(split: Split, params: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest of any risk model says of the model itself."""
    return {
        "features_version": FEATURES_VERSION,
        "features": list(FEATURES),
        "complaint_groups": list(COMPLAINT_GROUPS),
        "tiers": {name: list(columns) for name, columns in TIERS.items()},
        "base_rate": round(float(np.average(split.calibration.y, weights=split.calibration.weight)), 6),
        "params": dict(params),
    }


def _of_survey(sha256: str) -> dict[str, Any]:
    return {
        "outcome": "admission to a critical-care unit from this visit, among visits that ended in discharge or in it",
        "data": {DATA_FILE: sha256},
        "terms": TERMS,
        "citation": CITATION,
        **provenance(),
    }


def tier_params(params: Mapping[str, Any], tier: str) -> dict[str, Any]:
    """Parameters of one tier: the shared ones, with the tier's own over them."""
    own = params["tiers"][tier]
    return {
        "booster": params["booster"] | own["booster"],
        "rounds": own["rounds"],
        "dropout": params["dropout"] | own.get("dropout", {}),
        "monotone": params["monotone"],
    }
