"""The report of one run as a single HTML page: its own style and drawings, no script, nothing fetched.

In English only: it is for the people who train and approve models, as the rest of their tools are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from training.report import curves, matrices, tables
from training.report.svg import COLOURS

STYLE = Path(__file__).with_name("style.css")
_VERDICTS = {"yes": "The gate says yes", "no": "The gate says no", "not-enough-evidence": "Not enough evidence"}
_TILES = {"auroc": "AUROC", "auprc": "AUC-PR", "brier": "Brier", "expected_over_observed": "expected / observed"}

Document = Mapping[str, Any]


def report_page(version: str, evaluation: Document, times: Document, verdict: Document) -> str:
    """The whole page."""
    title = f"{evaluation['task']} {version}"
    body = "\n".join(_sections(evaluation, times, verdict))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}: comparison of models</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{STYLE.read_text(encoding="utf-8")}</style></head><body>
<header><div>{_head(version, evaluation, verdict)}</div></header>
<main>{_tiles(evaluation)}{body}</main>
<footer>Dataset {escape(str(verdict["dataset_sha256"]))}. Manifest {escape(str(verdict["manifest_digest"]))}.
Trained by {escape(str(verdict["trainer"]))}. The figures are in evaluation.json, timing.json and gate.json.</footer>
</body></html>
"""


def _head(version: str, evaluation: Document, verdict: Document) -> str:
    said = str(verdict["verdict"])
    champion = f"challenges {evaluation['champion']}" if evaluation["champion"] else "the first of its task"
    made_up = '<p class="mark">Synthetic data: a demonstration, it says nothing about patients.</p>'
    return (
        f"<h1>{escape(evaluation['task'].capitalize())} model {escape(version)}</h1>"
        f"<p>{escape(evaluation['winner'])}, {escape(champion)}; best of the families the service can run</p>"
        f'<span class="verdict {escape(said)}">{escape(_VERDICTS[said])}</span>'
        + (made_up if evaluation["synthetic"] else "")
    )


def _tiles(evaluation: Document) -> str:
    best, test = _winner(evaluation)["overall"], evaluation["rows"]["test"]
    tiles = [
        _tile(name, f"{best[key]['value']:.3f}", _range(best[key]))
        for key, name in _TILES.items()
        if best[key]["value"] is not None
    ]
    tiles.append(_tile("test patients", f"{test['patients']:,}", f"{test['rows']:,} rows"))
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _tile(name: str, value: str, small: str) -> str:
    return f'<div class="tile"><span>{escape(name)}</span><b>{value}</b><small>{small}</small></div>'


def _range(found: Document) -> str:
    return "" if None in (found["low"], found["high"]) else f"{found['low']:.3f} to {found['high']:.3f}"


def _winner(evaluation: Document) -> Document:
    found: Document = next(line for line in evaluation["leaderboard"] if line["served"])
    return found


def _sections(evaluation: Document, times: Document, verdict: Document) -> Iterator[str]:
    lines, best = evaluation["leaderboard"], _winner(evaluation)
    charts = {name: evaluation["charts"][name] for name in evaluation["judged"]}
    known = {name for name in charts if evaluation["rows"]["test"]["by_class"][name] >= curves.LEAST_BANDED}
    compared = [
        (words, matrices.whiskers([(line["family"], line["overall"][key], line["served"]) for line in lines], words))
        for key, words in (("auroc", "AUROC on the test rows"), ("auprc", "AUC-PR on the test rows"))
    ]
    yield _section(
        "Leaderboard",
        "Every family on the same rows, folds and seed. Nested: mean of AUROC + AUC-PR in outer folds, where every "
        "choice was made anew; it alone chooses. The other figures are of the test rows, mean of the judged classes, "
        "with 95 % intervals by patient. E/O: expected over observed. Kept: feature steps, arm, tuning."
        + _outside(evaluation)
        + _recalibration(evaluation),
        tables.leaderboard(lines) + _figures(*compared),
    )
    yield _section(
        "Ranking and calibration",
        "The winner on the test rows. Bands are 95 % intervals by patient, drawn for classes of ten test rows or more; "
        "calibration is by tenths of the patients.",
        _key(charts)
        + _figures(
            ("ROC", curves.roc(charts, known)),
            ("Precision and recall", curves.precision_recall(charts, known)),
            ("Calibration", curves.calibration(charts)),
        ),
    )
    yield _section(
        "What is called what, and what cannot be excluded",
        "Left: true classes down, called classes across, shaded by the share of the true class. Right: conformal sets.",
        _figures(
            ("Confusion matrix", matrices.confusion(best["confusion"], evaluation["classes"])),
            ("Conformal sets", tables.conformal(best, evaluation["classes"])),
        ),
    )
    yield _section(
        "Workload by threshold",
        "What flagging patients from a probability on finds (blue), and how many of the flags are false (orange).",
        _figures(
            *((name, curves.workload(found) + tables.workload(found["workload"])) for name, found in charts.items())
        ),
    )
    yield from _about_inputs(evaluation)
    yield _section("Cost beside accuracy", "Processor time on the machine that trained.", _costs(lines, times))
    yield _section("The gate", "Every check, the failed ones first.", tables.checks(verdict))


def _about_inputs(evaluation: Document) -> Iterator[str]:
    if evaluation["explanation"]:
        yield _section(
            "How the inputs are used (SHAP)",
            "Bars: mean size of an input's contribution. Dots: its mean in each fifth of the input, from low (orange) "
            "to high (blue). ×: where the input is missing. Means of many patients, never one patient's.",
            _figures(*((name, matrices.contributions(found)) for name, found in _in_order(evaluation, "explanation"))),
        )
    yield _section(
        "Subgroups",
        "AUROC of the winner, with 95 % intervals. Race and ethnicity are not in the data.",
        _subgroups(evaluation),
    )
    yield _section(
        "Who had seen the card",
        "Labels given in sight of a card lean towards it: each weighs what makes up for that, in fitting and in every "
        f"figure. {evaluation['bias']['holdout']['patients']:,} patients were held out of training and only tested on.",
        tables.sight(evaluation["bias"]),
    )
    yield _section(
        "Data",
        "Rank correlations of the inputs, and what more rows would bring; nothing was chosen from it."
        if evaluation["learning_curve"]
        else "Rank correlations of the inputs. No learning curve: nothing was fitted anew but a calibration.",
        _figures(
            ("Correlations", matrices.correlations(evaluation["correlations"], evaluation["features"])),
            *_learning(evaluation["learning_curve"]),
        )
        + _rows(evaluation),
    )


def _in_order(evaluation: Document, key: str) -> list[tuple[str, Document]]:
    """By judged class in the order of the task; JSON keeps another."""
    return [(name, evaluation[key][name]) for name in evaluation["judged"]]


def _section(title: str, about: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2><p>{escape(about)}</p>{content}</section>"


def _figures(*figures: tuple[str, str]) -> str:
    shown = "".join(f"<figure><figcaption>{escape(name)}</figcaption>{drawn}</figure>" for name, drawn in figures)
    return f'<div class="charts">{shown}</div>'


def _key(charts: Document) -> str:
    entries = "".join(
        f'<span><i style="background:{colour}"></i>{escape(name)}</span>'
        for colour, name in zip(COLOURS, charts, strict=False)
    )
    return f'<div class="key">{entries}</div>'


def _outside(evaluation: Document) -> str:
    better = evaluation["outside_service"]
    return f" Better beyond chance, but not run by the service: {', '.join(better)}." if better else ""


def _recalibration(evaluation: Document) -> str:
    """Whether the model in service with its calibration fitted anew could win at all."""
    found = evaluation["recalibration"]
    if found is None:
        return ""
    return (
        f" The model in service, recalibrated, is compared with the best family on the {found['new']} of "
        f"{found['conformal']} conformal rows that it answered as they came and so never learned; it wins on no others."
    )


def _subgroups(evaluation: Document) -> str:
    by_class = {
        name: [(group, found["classes"][name]["auroc"], False) for group, found in evaluation["subgroups"].items()]
        for name in evaluation["judged"]
    }
    known = {name: rows for name, rows in by_class.items() if any(found["value"] is not None for _, found, _ in rows)}
    return _figures(*((name, matrices.whiskers(rows, "AUROC")) for name, rows in known.items()))


def _rows(evaluation: Document) -> str:
    rows = [
        (
            "",
            [
                part,
                f"{found['rows']:,}",
                f"{found['patients']:,}",
                *(f"{found['by_class'][name]:,}" for name in evaluation["classes"]),
            ],
        )
        for part, found in ((part, evaluation["rows"][part]) for part in ("fit", "calibration", "conformal", "test"))
    ]
    return "<h3>Rows</h3>" + tables.table(("part", "rows", "patients", *evaluation["classes"]), rows)


def _learning(points: list[Document]) -> list[tuple[str, str]]:
    return [("Learning curve", curves.learning(points))] if len(points) > 1 else []


def _costs(lines: list[Document], times: Document) -> str:
    charts = []
    for name, key in (("one answer, ms", "latency_ms"), ("one explanation, ms", "explanation_ms")):
        rows = [
            (line["family"], times[line["family"]][key], line["overall"]["auroc"]["value"], line["served"])
            for line in lines
            if line["overall"]["auroc"]["value"] is not None
        ]
        charts.append((name, matrices.costs(rows, name)))
    return _figures(*charts) + tables.costs(lines, times)
