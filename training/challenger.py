"""Writes a challenger: the artifact in served format, then beside it the report, the times and the gate's verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cds_service.inference.predictor import load_predictor
from training.candidates import FAMILIES
from training.challenger_card import card_text
from training.comparison import Comparison, Order
from training.continued import CONTINUED, continued_tiers
from training.evaluate import reference_histograms
from training.evaluation import evaluation_of
from training.in_service import RECALIBRATED
from training.publish import json_bytes, provenance, staged, write_artifact
from training.recalibrated import recalibrated_files
from training.report.page import report_page
from training.risk import model_files, risk_described
from training.split import Split
from training.state import state_described, state_files
from training.timing import times_of
from training.verdict import verdict_of

_SEARCHED = {family.name for family in FAMILIES if not family.bare}


def publish(order: Order, found: Comparison) -> dict[str, Any]:
    """Publish the winner at `order.out`; the gate's verdict, which is not needed for the artifact to be there."""
    evaluation = evaluation_of(found)
    with staged(order.out, force=False) as staging:
        files = artifact_files(found, staging)
        files |= {
            "evaluation.json": json_bytes(evaluation),
            "card.md": card_text(order.out.name, evaluation, made_by(order, found)).encode(),
        }
        write_artifact(staging, files, described(order, found))
        times = times_of(found)
        verdict = verdict_of(order, found, staging)
        beside = {
            "timing.json": json_bytes(times),
            "gate.json": json_bytes(verdict),
            "report.html": report_page(order.out.name, evaluation, times, verdict).encode(),
        }
        for name, content in beside.items():
            (staging / name).write_bytes(content)
    return verdict


def artifact_files(found: Comparison, staging: Path) -> dict[str, bytes]:
    """The model's own files, byte for byte the same for the same data, seed and libraries."""
    if found.task.name == "state":
        return state_files(found.task, found.winner, found.parts.fit, found.parts.test, found.params)
    split = risk_split(found)
    if found.winner.name == RECALIBRATED and found.champion:
        files = recalibrated_files(found.champion.artifact, split)
    elif found.winner.name == CONTINUED and found.champion:
        files = model_files(split, risk_params(found), lambda text: None, found.champion.artifact.files)
    else:
        files = model_files(split, risk_params(found), lambda text: None)
    write_artifact(staging, files, _of_risk(found))
    predictor = load_predictor(staging.parents[1], staging.parent.name, staging.name)
    return files | {"reference.json": json_bytes(reference_histograms(split, predictor))}


def described(order: Order, found: Comparison) -> dict[str, Any]:
    """What the manifest says besides the files: enough to make the same artifact again."""
    own = state_described(found.task, found.winner) if found.task.name == "state" else _of_risk(found)
    return {
        **own,
        "population": "survey" if found.split == found.params["compare"]["split"]["survey"] else "hospital",
        "family": found.winner.name,
        "incremental": order.incremental,
        "synthetic": found.parts.test.synthetic,
        "params": dict(found.params),
        "trials": {c.name: c.search.trials for c in found.contenders if c.search.trials},
        "unsearched": [c.name for c in found.contenders if c.name in _SEARCHED and not c.search.tried],
        "data": {"dataset": found.parts.fit.sha256},
        "challenges": found.champion.version if found.champion else None,
        "trained_by": order.trainer,
        **provenance(),
    }


def made_by(order: Order, found: Comparison) -> dict[str, Any]:
    """What the card says besides figures."""
    return {
        "trainer": order.trainer,
        "split": found.split,
        "dataset_sha256": found.parts.fit.sha256,
        "alpha": found.params["compare"]["alpha"],
    }


def risk_split(found: Comparison) -> Split:
    """The parts as the tiers are fitted and calibrated on."""
    return Split(found.parts.fit, found.parts.calibration, found.parts.test)


def risk_params(found: Comparison) -> dict[str, Any]:
    """Parameters of the tiers, with what tuning chose for the full one."""
    if found.winner.name == CONTINUED:
        return continued_tiers(found.params)
    tiers, chosen = dict(found.params["tiers"]), dict(found.winner.search.choice.settings)
    rounds = chosen.pop("rounds", tiers["full"]["rounds"])
    tiers["full"] = {**tiers["full"], "rounds": rounds, "booster": {**tiers["full"]["booster"], **chosen}}
    return {**found.params, "tiers": tiers}


def _of_risk(found: Comparison) -> dict[str, Any]:
    return risk_described(risk_split(found), risk_params(found))
