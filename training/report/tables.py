"""Tables of the report as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

Figure = Mapping[str, float | None]


def table(heads: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]], *, ends_in_words: bool = False) -> str:
    """A table; each row is its class and its cells, which are HTML already. The last column may be a sentence."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "\n".join(f'<tr class="{kind}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>' for kind, cells in rows)
    kind = "wide words" if ends_in_words else "wide"
    return f'<div class="{kind}"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def with_interval(found: Figure, form: str = ".3f") -> str:
    """A figure and its interval in small print."""
    if found["value"] is None:
        return "–"
    if found["low"] is None or found["high"] is None:
        return f"{found['value']:{form}}"
    return f"{found['value']:{form}} <small>{found['low']:{form}}–{found['high']:{form}}</small>"


def leaderboard(lines: Sequence[Mapping[str, Any]]) -> str:
    """Families, best in nested cross-validation first, then what was not cross-validated."""
    keys = ("auroc", "auprc", "f1", "recall", "brier", "expected_over_observed", "calibration_slope")
    heads = ("family", "nested", "AUROC", "AUC-PR", "F1", "recall", "Brier", "E/O", "slope", "kept")
    rows = []
    for line in lines:
        nested = f"{line['nested']['mean']:.3f}" if line["nested"] else "–"
        figures = [
            with_interval(
                line["overall"][key], ".2f" if key in ("expected_over_observed", "calibration_slope") else ".3f"
            )
            for key in keys
        ]
        rows.append(
            ("best" if line["served"] else "", [escape(line["family"]), nested, *figures, _kept(line["choice"])])
        )
    return table(heads, rows)


def conformal(line: Mapping[str, Any], classes: Sequence[str]) -> str:
    """How often the sets of the winner hold each class, and how large they are."""
    rows = []
    for name in classes:
        found = line["conformal"]["by_class"][name]
        held = ["–", "–"] if found["coverage"] is None else [f"{found['coverage']:.0%}", f"{found['size']:.1f}"]
        rows.append(("", [escape(name), f"{found['rows']:,}", *held]))
    return table(("class", "test rows", "held by the set", "classes in the set"), rows)


def sight(bias: Mapping[str, Any]) -> str:
    """Rows by who had seen the card, how many agree with it, and what they weigh."""
    rows = []
    for name, found in bias["sight"].items():
        agreed, weight = found["agreed"], found["weight"]
        cells = ["–" if agreed is None else f"{agreed:.0%}", f"{weight['mean']:.2f}"]
        rows.append(("", [escape(name), f"{found['rows']:,}", *cells, f"{weight['low']:.2f} to {weight['high']:.2f}"]))
    return table(("card", "rows", "agree with it", "mean weight", "weights"), rows)


def workload(points: Sequence[Mapping[str, float]]) -> str:
    """What flagging from each threshold on costs and finds."""
    rows = [
        (
            "",
            [
                f"{point['threshold']:.1%}",
                f"{point['flags_per_100']:.0f}",
                f"{point['false_share']:.0%}",
                f"{point['found']:.0%}",
            ],
        )
        for point in points
    ]
    return table(("from", "flags per 100", "false", "found"), rows)


def checks(verdict: Mapping[str, Any]) -> str:
    """The gate's checks, those that failed first."""
    ordered = sorted(verdict["checks"], key=lambda check: check["passed"])
    rows = [
        (
            "" if check["passed"] else "failed",
            [
                escape(check["name"]),
                "passed" if check["passed"] else "failed",
                _shown(check["value"]),
                _shown(check["bound"]),
                "with a reason" if check["overridable"] else "never",
                escape(check["reason"]),
            ],
        )
        for check in ordered
    ]
    return table(("check", "", "found", "bound", "overridable", "what it holds"), rows, ends_in_words=True)


def costs(lines: Sequence[Mapping[str, Any]], times: Mapping[str, Any]) -> str:
    """Time of one answer, of one explanation, and size, beside accuracy."""
    rows = []
    for line in lines:
        found = times[line["family"]]
        size = "–" if found["bytes"] is None else f"{found['bytes'] / 1024:,.0f} KiB"
        cells = [f"{found['latency_ms']:.2f}", f"{found['explanation_ms']:.2f}", found["explained_by"], size]
        rows.append(
            (
                "best" if line["served"] else "",
                [escape(line["family"]), with_interval(line["overall"]["auroc"]), *cells],
            )
        )
    return table(("family", "AUROC", "one answer, ms", "one explanation, ms", "explained by", "size"), rows)


def _kept(choice: Mapping[str, Any]) -> str:
    kept = [
        *choice["steps"],
        *([choice["arm"]] if choice["arm"] != "plain" else []),
        *(["tuned"] if choice["settings"] else []),
    ]
    return "<br>".join(map(escape, kept)) or "–"


def _shown(value: Any) -> str:
    """A figure or a fact of the gate as people write it."""
    if isinstance(value, Mapping):
        return with_interval(value)
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value)) or "none"
    if isinstance(value, float):
        return f"{value:.3g}"
    return escape(str(value))
