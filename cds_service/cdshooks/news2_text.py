"""What a card says of NEWS2: points, published response, and what the unknown inputs could still change."""

from __future__ import annotations

from cds_service.cdshooks.markdown import quoted
from cds_service.cdshooks.wording import Words
from cds_service.domain.prediction import EarlyWarning, Prediction


def news2_section(prediction: Prediction, words: Words) -> str:
    """The Markdown on NEWS2, or why there is none."""
    t, news2 = words.t, prediction.news2
    if news2 is None:
        reason = prediction.news2_omitted or ""
        said = words.news2_omitted.get(reason) or quoted(reason)
        text = t("**NEWS2 not calculated:** %(reason)s") % {"reason": said}
        advice = words.advice_without_news2.get(reason)
        return f"{text}. {advice}" if advice else text
    sentences = [_points(news2, words)]
    if news2.red:
        sentences.append(t("Red score (3 in one parameter): %(parameters)s.") % {"parameters": words.names(news2.red)})
    if news2.complete or news2.level != "low":
        sentences.append(words.responses[news2.level])
    if news2.upper_level == "high" != news2.level:
        sentences.append(t("What is unknown could bring it to the emergency threshold."))
    if news2.composed:
        span = words.age(news2.spread_min)
        sentences.append(t("Composed of readings %(span)s apart, not one set.") % {"span": span})
    sentences += map(words.remarks.__getitem__, news2.remarks)
    return " ".join(sentences)


def _points(news2: EarlyWarning, words: Words) -> str:
    t, name_of = words.t, words.name
    scored = [f"{name_of(name)} {points}" for name, points in news2.points.items() if points]
    score = f"{news2.lower}"
    if news2.unknown:
        score = f"{score}–{news2.upper}"
        scored.append(t("unknown: %(inputs)s") % {"inputs": words.names(news2.unknown)})
    scale = t("SpO2 scale %(scale)d") % {"scale": news2.scale}
    points = " + ".join(scored) or t("every parameter 0")
    return f"**NEWS2 {score}** ({scale}) = {points}."
