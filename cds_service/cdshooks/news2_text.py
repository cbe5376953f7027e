"""What a card says of NEWS2: points, published response, and what the unknown inputs could still change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cds_service.cdshooks.markdown import quoted
from cds_service.cdshooks.wording import Words
from cds_service.domain.prediction import EarlyWarning, Prediction
from cds_service.i18n import Translate


def news2_section(prediction: Prediction, words: Words) -> str:
    """The Markdown on NEWS2, or why there is none."""
    t, news2 = words.t, prediction.news2
    if news2 is None:
        reason = prediction.news2_omitted or ""
        said = words.news2_omitted.get(reason) or quoted(reason)
        text = t("**NEWS2 not calculated:** %(reason)s") % {"reason": said}
        advice = words.advice_without_news2.get(reason)
        return f"{text}. {advice}" if advice else text
    sentences = (
        _points(news2, words),
        _red(news2, words),
        words.responses[news2.level] if news2.complete or news2.level != "low" else "",
        _reach(news2, t),
        t("Composed of readings %(span)s apart, not one set.") % {"span": words.age(news2.spread_min)}
        if news2.composed
        else "",
        *_remarks(news2.remarks, words),
    )
    return " ".join(sentence for sentence in sentences if sentence)


def _points(news2: EarlyWarning, words: Words) -> str:
    t = words.t
    score = str(news2.lower) if news2.complete else f"{news2.lower}–{news2.upper}"
    scored = [f"{words.name(name)} {points}" for name, points in news2.points.items() if points]
    if news2.unknown:
        scored.append(t("unknown: %(inputs)s") % {"inputs": ", ".join(map(words.name, news2.unknown))})
    scale = t("SpO2 scale %(scale)d") % {"scale": news2.scale}
    points = " + ".join(scored) or t("every parameter 0")
    return f"**NEWS2 {score}** ({scale}) = {points}."


def _red(news2: EarlyWarning, words: Words) -> str:
    if not news2.red:
        return ""
    return words.t("Red score (3 in one parameter): %(parameters)s.") % {
        "parameters": ", ".join(map(words.name, news2.red))
    }


def _reach(news2: EarlyWarning, t: Translate) -> str:
    if news2.upper_level != "high" or news2.level == "high":
        return ""
    return t("What is unknown could bring it to the emergency threshold.")


def _remarks(remarks: Sequence[str], words: Words) -> Iterator[str]:
    return (words.remarks.get(remark) or quoted(remark) for remark in remarks)
