"""Why somebody says that a prediction was wrong: the reasons of its card, in words."""

from __future__ import annotations

from cds_service.cdshooks.override_reasons import NON_ADHERENCE, override_reasons
from cds_service.cdshooks.wording import Words
from cds_service.domain.feedback import OVERRIDDEN, Feedback
from cds_service.domain.label import RARE_SYSTEMS
from cds_service.domain.phenotype import RareAssessment
from cds_service.domain.prediction import Prediction


def reasons_for(found: Prediction | RareAssessment, words: Words) -> list[tuple[str, str]]:
    """Each reason its card offers: system and code as the form sends them, and its text."""
    language = "es" if words.decimal_comma else "en"
    general = [(one["system"], one["code"], one["display"]) for one in override_reasons(language)]
    if isinstance(found, RareAssessment):
        general = [one for one in general if one[0] == NON_ADHERENCE] + _candidates(found, words)
    return [(f"{system}|{code}", text) for system, code, text in general]


def reason_text(report: Feedback, found: Prediction | RareAssessment, words: Words) -> str:
    """What became of the card, as people said it last."""
    if report.outcome != OVERRIDDEN:
        return words.t("accepted")
    given = "|".join(report.reason or ())
    text = next((text for value, text in reasons_for(found, words) if value == given), given.rpartition("|")[2])
    return words.t("set aside: %(reason)s") % {"reason": text} if text else words.t("set aside without a reason")


def _candidates(found: RareAssessment, words: Words) -> list[tuple[str, str, str]]:
    named = []
    for candidate in found.ranking.candidates:
        source, _, code = candidate.id.partition(":")
        if source in RARE_SYSTEMS:
            text = words.t("Diagnosed: %(disease)s") % {"disease": candidate.name}
            named.append((RARE_SYSTEMS[source], code, text))
    return named
