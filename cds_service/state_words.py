"""What is said of the five-state model: probabilities in words and whole percents, the set, and who taught it.

Cards and FHIR resources say the same.
"""

from __future__ import annotations

from types import MappingProxyType

from cds_service.domain.label import CATEGORIES
from cds_service.domain.prediction import StateEstimate
from cds_service.i18n import Translate, msgid
from cds_service.vocabulary import Table

# Of a patient, not of a tag: what a clinician called patients like this one.
CLASSES: Table = MappingProxyType(
    {
        "not-ill": msgid("not ill"),
        "mild": msgid("mildly ill"),
        "acute": msgid("acutely ill"),
        "chronic": msgid("chronically ill"),
        "terminal": msgid("terminally ill"),
    }
)

# From which probability a word is used: the IPCC's likelihood scale without its outermost steps (Mastrandrea and
# others, Guidance Note on Consistent Treatment of Uncertainties, 2010, table 1).
_LIKELIHOODS = (
    (0.90, msgid("very likely")),
    (0.66, msgid("likely")),
    (0.33, msgid("about as likely as not")),
    (0.10, msgid("unlikely")),
    (0.0, msgid("very unlikely")),
)


def by_probability(estimate: StateEstimate) -> list[tuple[str, float]]:
    """The states with their probabilities, most probable first; equal ones in the order of CATEGORIES."""
    return sorted(estimate.probabilities.items(), key=lambda one: (-one[1], CATEGORIES.index(one[0])))


def likelihood(probability: float, t: Translate) -> str:
    """A probability as a word."""
    return t(next(word for least, word in _LIKELIHOODS if probability >= least))


def percent(probability: float, t: Translate) -> str:
    """A probability in whole percents; never 0 or 100, which no model knows."""
    if probability < 0.01:
        return t(msgid("under 1 %"))
    return t(msgid("over 99 %")) if probability > 0.99 else f"{int(100 * probability + 0.5)} %"


def likely_set(estimate: StateEstimate, t: Translate) -> str:
    """The conformal set in words: what it holds, and how often it holds the true state."""
    if not estimate.likely:
        return t(msgid("no state stands out"))
    names = ", ".join(t(CLASSES[name]) for name in estimate.likely)
    said = t(msgid("in %(share)s of patients like these the true state is among: %(names)s"))
    return said % {"share": percent(estimate.coverage, t), "names": names}


def learnt_from(estimate: StateEstimate, version: str, t: Translate) -> str:
    """Which version says it, as its name is safe where this goes, and of whom it was learnt."""
    if estimate.synthetic:
        said = t(msgid("states %(version)s: learnt from invented patients, says nothing of real ones."))
    else:
        said = t(msgid("states %(version)s: learnt from visits of this hospital that its clinicians labelled."))
    return said % {"version": version}
