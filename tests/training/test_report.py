"""The report is one file that fetches nothing, runs nothing, escapes what it is told and shows every family."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from training.curves import GRID
from training.report.page import report_page
from training.report.svg import Chart, shade

CLASSES = ["not-ill", "mild"]
FEATURES = ["age", "heart_rate"]


def figure(value: float) -> dict:
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


def a_line(family: str, *, served: bool) -> dict:
    figures = {
        key: figure(0.8)
        for key in ("auroc", "auprc", "f1", "recall", "brier", "expected_over_observed", "calibration_slope")
    }
    held = {name: {"rows": 20, "coverage": 0.9, "size": 1.4} for name in CLASSES}
    return {
        "family": family,
        "served": served,
        "nested": {"mean": 1.5, "folds": [1.4, 1.6]} if served else None,
        "choice": {"steps": ["logs"], "arm": "smote", "settings": {}, "tried": {}, "trials": 0},
        "overall": figures,
        "classes": dict.fromkeys(CLASSES, figures),
        "confusion": [[9, 1], [2, 8]],
        "conformal": {"by_class": held, "sizes": [0, 5, 5], "mean_size": 1.4},
    }


def an_evaluation() -> dict:
    band = {side: GRID.tolist() for side in ("value", "low", "high")}
    tenth = {"expected": 0.2, "observed": 0.25, "rows": 10}
    flags = [
        {"flags_per_100": share, "threshold": 0.5, "false_share": 0.2, "found": 0.4} for share in (1, 2, 5, 10, 20, 50)
    ]
    chart = {"roc": band, "precision_recall": band, "calibration": [tenth], "workload": flags}
    used = {name: {"size": 0.4, "by_fifth": [-0.3, None, 0.3], "missing": 0.1} for name in FEATURES}
    part = {"rows": 20, "patients": 19, "by_class": dict.fromkeys(CLASSES, 10)}
    empty = {"value": None, "low": None, "high": None}
    return {
        "task": "state",
        "classes": CLASSES,
        "judged": CLASSES,
        "winner": "XGBoost",
        "champion": None,
        "synthetic": True,
        "recalibration": {"conformal": 20, "new": 12},
        "rows": dict.fromkeys(("fit", "calibration", "conformal", "test"), part),
        "leaderboard": [a_line("XGBoost", served=True), a_line("<b>MLP</b>", served=False)],
        "outside_service": ["<b>MLP</b>"],
        "subgroups": {
            "sex: women": {"rows": 9, "classes": {"not-ill": {"auroc": figure(0.8)}, "mild": {"auroc": empty}}}
        },
        "bias": {
            "sight": {"seen": {"rows": 1200, "agreed": 0.9, "weight": {"mean": 0.8, "low": 0.2, "high": 5.0}}},
            "holdout": {"rows": 30, "patients": 21},
        },
        "charts": dict.fromkeys(CLASSES, chart),
        "explanation": dict.fromkeys(CLASSES, used),
        "correlations": [[1.0, 0.4], [0.4, None]],
        "learning_curve": [{"rows": 10, "quality": 0.6}, {"rows": 100, "quality": 0.7}],
        "features": FEATURES,
    }


@pytest.fixture(scope="module")
def page() -> str:
    cost = {"latency_ms": 0.2, "explanation_ms": 3.0, "explained_by": "its own structure", "bytes": 2048}
    check = {
        "name": "latency",
        "passed": False,
        "value": 9.0,
        "bound": 5.0,
        "reason": "one patient",
        "overridable": True,
    }
    verdict = {
        "verdict": "not-enough-evidence",
        "checks": [check],
        "trainer": "ada",
        "dataset_sha256": "d1",
        "manifest_digest": "d2",
    }
    return report_page("1.0.0", an_evaluation(), {"XGBoost": cost, "<b>MLP</b>": cost}, verdict)


def test_nothing_is_fetched_and_nothing_runs(page):
    assert re.findall(r"<script|<link|<img|<iframe|\bsrc=|\bhref=|url\(|@import|https?:|\bon\w+=", page) == []


def test_what_it_is_told_is_escaped(page):
    assert "<b>MLP</b>" not in page
    assert "&lt;b&gt;MLP&lt;/b&gt;" in page


def test_who_had_seen_the_card_is_told_with_what_their_labels_weigh(page):
    assert "21 patients were held out" in page
    assert "<td>seen</td><td>1,200</td><td>90%</td><td>0.80</td><td>0.20 to 5.00</td>" in page


def test_each_threshold_has_its_workload_and_each_check_its_whole_reason(page):
    assert '<tr class=""><td>50.0%</td><td>5</td><td>20%</td><td>40%</td></tr>' in page
    assert re.search(r'class="wide words">.*<td>one patient</td></tr>', page, re.DOTALL)


@pytest.mark.parametrize(
    "title",
    ["Leaderboard", "Ranking and calibration", "Workload by threshold", "How the inputs are used (SHAP)", "Subgroups",
     "Cost beside accuracy", "The gate", "ROC", "Precision and recall", "Calibration", "Confusion matrix",
     "Conformal sets", "Correlations", "Learning curve"],
)  # fmt: skip
def test_it_shows(page, title):
    assert f">{title}<" in page


def test_every_picture_is_well_formed_and_named(page):
    pictures = re.findall(r"<svg.*?</svg>", page, flags=re.S)

    assert len(pictures) >= 12
    assert all(ElementTree.fromstring(picture).get("aria-label") for picture in pictures)


def test_synthetic_data_and_the_verdict_are_said_first(page):
    assert page.index("Synthetic data") < page.index("Leaderboard")
    assert page.index("Not enough evidence") < page.index("Leaderboard")


def test_a_point_lands_where_its_axes_say():
    chart = Chart((0, 10), (0, 1), width=112, height=120, left=0, bottom=10)

    assert chart.at(0, 0) == (0, 110)
    assert chart.at(10, 1) == (100, 10)


@pytest.mark.parametrize(("value", "colour"), [(0.0, "rgb(255,255,255)"), (1.0, "rgb(0,94,148)"), (None, "#eceff1")])
def test_shades_run_from_orange_over_white_to_blue(value, colour):
    assert shade(value) == colour
