"""How a risk is said: as a count of a hundred visits, and of whose visits it is a share."""

from __future__ import annotations

from types import MappingProxyType

from cds_service.cdshooks.markdown import quoted
from cds_service.cdshooks.wording import Words
from cds_service.domain.prediction import Prediction
from cds_service.i18n import msgid
from cds_service.vocabulary import Table

# By who taught the model (`RiskEstimate.population`).
_POPULATIONS: Table = MappingProxyType(
    {
        "survey": msgid(
            "risk %(version)s: %(count)s visits like this in the training data (adult US emergency visits "
            "that ended in discharge or ICU) led to ICU; all adults %(base)s."
        ),
        "hospital": msgid(
            "risk %(version)s: %(count)s visits like this in the training data (adults' visits of this hospital "
            "whose end is known) led to ICU; all adults %(base)s."
        ),
        "invented": msgid(
            "risk %(version)s: %(count)s visits like this of invented patients led to ICU; all of them %(base)s. "
            "It says nothing of real ones."
        ),
    }
)


def per_hundred(probability: float, words: Words) -> str:
    """A probability as a count of a hundred visits."""
    if probability < 0.01:
        return words.t("fewer than 1 of 100")
    if probability > 0.99:
        return words.t("more than 99 of 100")
    return words.of_hundred[int(100 * probability + 0.5)]


def population(prediction: Prediction, words: Words) -> str:
    """Of whom the risk is a share, or why there is none."""
    t, risk, version = words.t, prediction.risk, quoted(prediction.model_version)
    if risk is None:
        reason = prediction.risk_omitted or ""
        return t("Risk model %(version)s not used: %(reason)s.") % {
            "version": version,
            "reason": words.risk_omitted.get(reason) or quoted(reason),
        }
    return t(_POPULATIONS[risk.population]) % {
        "version": version,
        "count": per_hundred(risk.probability, words),
        "base": per_hundred(risk.base_rate, words),
    }
