"""CDS Hooks cards from a prediction: summary, indicator, source, links and override reasons.

The same prediction in the same language always gives the same bytes. docs/reference/cards.md holds the policies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from cds_service.cdshooks.card_text import alarm, detail, first_remarks, record_remarks, shown_unused
from cds_service.cdshooks.markdown import plain
from cds_service.cdshooks.override_reasons import encoded_reasons
from cds_service.cdshooks.prefetch import Note
from cds_service.cdshooks.risk_text import per_hundred
from cds_service.cdshooks.wording import Words, clock, words
from cds_service.domain.patient import NotUsed, UnusedReading
from cds_service.domain.prediction import EarlyWarning, Prediction, RiskEstimate
from cds_service.state_words import by_probability
from cds_service.vocabulary import VITALS

# CDS Hooks 2.0.1, card attributes: "fewer than 140 characters".
SUMMARY_LIMIT = 139

# Vital signs that NEWS2 or the risk model scores; an old reading of anything else is no reason for a card.
_SCORED = frozenset(VITALS) - {"height", "weight", "bmi", "blood_group", "exercise_days", "pain"}


def cards_from_prediction(
    prediction: Prediction,
    *,
    language: str,
    public_url: str,
    notes: Sequence[Note] = (),
    zone: tzinfo = UTC,
    quiet_until: datetime | None = None,
) -> list[dict[str, Any]]:
    """The cards to show, times in `zone`: one, or none when there is nothing to say. Override reasons are JSON already.

    `quiet_until` is given where the patient was already assessed and is no worse: the card is then `info`, and says so.
    """
    w = words(language)
    if has_nothing_to_say(prediction, notes, w):
        return []
    t, card_id = w.t, str(prediction.id)
    model_card = _model_card(public_url, "risk", prediction.model_version)
    return [
        {
            "uuid": card_id,
            "summary": summary(prediction, w),
            "detail": _quiet(quiet_until, prediction, w, zone) + detail(prediction, w, notes, zone),
            "indicator": indicator(prediction) if quiet_until is None else "info",
            "source": {"label": t("NEWS2 (Royal College of Physicians, 2017) and ICU risk model"), "url": model_card},
            "links": [
                {
                    "label": t("Reasons and feedback"),
                    "url": f"{public_url}/predictions/{card_id}",
                    "type": "absolute",
                },
                {"label": t("Model card"), "url": model_card, "type": "absolute"},
                *_state_card(prediction, public_url, w),
            ],
            "overrideReasons": encoded_reasons(language),
        }
    ]


@lru_cache(maxsize=16)
def _model_card(public_url: str, task: str, version: str) -> str:
    return f"{public_url}/models/{task}/{quote(version, safe='')}/card"


def launching(cards: Sequence[Mapping[str, Any]], public_url: str) -> list[dict[str, Any]]:
    """The same cards, their predictions opened by a SMART launch: the EHR gives the card's id back as `appContext`."""
    return [{**card, "links": [_launching(link, card["uuid"], public_url) for link in card["links"]]} for card in cards]


def _launching(link: dict[str, str], card_id: str, public_url: str) -> dict[str, str]:
    if link["url"] != f"{public_url}/predictions/{card_id}":
        return link
    return {"label": link["label"], "url": f"{public_url}/launch", "type": "smart", "appContext": card_id}


def _state_card(prediction: Prediction, public_url: str, w: Words) -> list[dict[str, Any]]:
    if prediction.state_model is None:
        return []
    url = _model_card(public_url, "state", prediction.state_model.version)
    return [{"label": w.t("Model card of the states"), "url": url, "type": "absolute"}]


def _quiet(until: datetime | None, prediction: Prediction, w: Words, zone: tzinfo) -> str:
    if until is None:
        return ""
    time = clock(until.astimezone(zone), prediction.snapshot.at.astimezone(zone))
    said = w.t("**Already assessed:** shown as information until %(time)s, unless it gets worse.") % {"time": time}
    return f"{said}\n\n"


def has_nothing_to_say(prediction: Prediction, notes: Sequence[Note], w: Words) -> bool:
    """Whether the only state is not-ill, every reading that matters was used, and nothing is odd about the data.

    A model of states that thinks otherwise is something to say.
    """
    states, snapshot = prediction.states, prediction.snapshot
    if notes or len(states) != 1 or states[0].state != "not-ill":
        return False
    is_composed = prediction.news2 is not None and prediction.news2.composed
    has_remarks = bool(first_remarks(snapshot, w) or record_remarks(snapshot, w))
    is_doubted = prediction.state_model is not None and by_probability(prediction.state_model)[0][0] != "not-ill"
    if is_composed or has_remarks or is_doubted:
        return False
    return not any(map(_is_notable, shown_unused(snapshot)))


def _is_notable(unused: UnusedReading) -> bool:
    return unused.alarming or unused.reason is not NotUsed.STALE or unused.name in _SCORED


# Indicator policy. NEWS2's own thresholds (RCP 2017) on the lower bound; the bands are the site's.
_BY_LEVEL = {"high": "critical", "medium": "warning", "low-medium": "warning"}
_BY_BAND = {"high": "critical", "moderate": "warning"}


def indicator(prediction: Prediction) -> str:
    """How urgent the card is: critical, warning or info; the most urgent of what NEWS2, the risk and alarms say."""
    news2, risk = prediction.news2, prediction.risk
    said = (None if news2 is None else _BY_LEVEL.get(news2.level), None if risk is None else _BY_BAND.get(risk.band))
    if "critical" in said:
        return "critical"
    is_warning = (
        "warning" in said
        or (news2 is not None and "glasgow-not-full" in news2.remarks)
        or any(reading.alarming for reading in prediction.snapshot.not_used)
    )
    return "warning" if is_warning else "info"


def summary(prediction: Prediction, w: Words) -> str:
    """One sentence of under 140 characters: the fullest wording that fits."""
    for text in _wordings(prediction, w):
        if len(text) <= SUMMARY_LIMIT:
            return text
    return plain(text, SUMMARY_LIMIT)


def _wordings(prediction: Prediction, w: Words) -> Iterator[str]:
    """Wordings of the summary from the fullest to the shortest; what may be an emergency stays in all of them."""
    alarms = first_remarks(prediction.snapshot, w)
    for reading in prediction.snapshot.not_used:
        if reading.alarming:
            alarms.append(alarm(reading, w))
            break
    risk = [_risk(prediction.risk, w)] if prediction.risk else []
    if prediction.news2 is None:
        yield " · ".join([*alarms, *risk, _without_news2(prediction, w)])
        yield " · ".join([*alarms, *risk])
        return
    threshold = _threshold(prediction.news2, w)
    yield " · ".join([*alarms, _news2(prediction.news2, w, named=True) + threshold, *risk])
    yield " · ".join([*alarms, _news2(prediction.news2, w, named=False) + threshold, *risk])
    yield " · ".join([*alarms, _news2(prediction.news2, w, named=False) + threshold])
    yield " · ".join([*alarms, _news2(prediction.news2, w, named=False)])


def _news2(news2: EarlyWarning, w: Words, *, named: bool) -> str:
    if news2.complete:
        return f"NEWS2 {news2.lower}"
    if named:
        inputs = w.names(news2.unknown)
        return w.t("NEWS2 at least %(score)d (%(inputs)s unknown)") % {"score": news2.lower, "inputs": inputs}
    count = len(news2.unknown)
    return w.t("NEWS2 at least %(score)d (%(count)d of 7 inputs unknown)") % {"score": news2.lower, "count": count}


def _threshold(news2: EarlyWarning, w: Words) -> str:
    reached = w.thresholds.get(news2.level, "")
    if news2.level == "low-medium":
        reached %= {"parameters": w.names(news2.red)}
    if news2.upper_level == "high" != news2.level:
        could = w.t("could reach the emergency threshold")
        return f": {reached}, {could}" if reached else f": {could}"
    return f": {reached}" if reached else ""


def _risk(risk: RiskEstimate, w: Words) -> str:
    return w.t("ICU risk %(count)s (%(band)s)") % {
        "count": per_hundred(risk.probability, w),
        "band": w.bands.get(risk.band) or plain(risk.band),
    }


def _without_news2(prediction: Prediction, w: Words) -> str:
    if not any(name in _SCORED for name in prediction.snapshot.readings):
        return w.t("No usable vital signs: NEWS2 not possible")
    reason = prediction.news2_omitted or ""
    return w.t("NEWS2 not calculated: %(reason)s") % {"reason": w.news2_omitted.get(reason) or plain(reason)}
