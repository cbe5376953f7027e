"""What to look for next: the findings whose answer is expected to remove most doubt among the best candidates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cds_service.domain.ontology import Floats, Ints
from cds_service.domain.phenotype import Question
from cds_service.inference.ranker_explain import Explained

# Questions separate the twenty best candidates.
AMONG = 20
# As many as a card has room for; chosen by us.
_MOST = 5
# A finding nobody annotated to a disease may still be there: its background frequency, but at least this. Chosen by us.
_LEAST_FREQUENCY = 0.01
# What shares more of its information with a finding than this is settled already.
_SETTLED = 0.5


def next_questions(explained: Explained, shares: NDArray[np.float64]) -> tuple[Question, ...]:
    """The findings with the largest expected drop of entropy over the first candidates, largest first.

    `shares` are the best candidates' probabilities; what was observed, excluded or follows from either is not asked.
    """
    weights = np.maximum(shares[:AMONG], 1e-6)
    weights = weights / weights.sum()
    present = explained.present
    shown = present.terms[present.frequency[:AMONG, 1:].max(axis=0) > 0]
    asked = shown[_is_open(explained, shown)]
    likely = np.maximum(present.of(asked)[:AMONG], explained.index.background.frequency[asked])
    bits = expected_bits(weights, np.clip(likely, _LEAST_FREQUENCY, 1 - _LEAST_FREQUENCY))
    ontology = explained.knowledge.ontology
    found: list[Question] = []
    taken: set[int] = set()
    for at in np.lexsort((asked, -bits)).tolist():
        row = int(asked[at])
        family = set(ontology.ancestors_of(row).tolist())
        if family & taken or any(row in ontology.ancestors_of(other) for other in taken):
            continue  # a broader or narrower form of a question is the same question
        taken.add(row)
        found.append(Question(*explained.named(row), round(float(bits[at]), 3)))
        if len(found) == _MOST:
            break
    return tuple(found)


def expected_bits(weights: NDArray[np.float64], likely: Floats) -> NDArray[np.float64]:
    """Expected drop of entropy in bits for each finding, shape (findings,).

    `weights` are the candidates' probabilities, shape (candidates,), `likely` how often each has each finding. The
    drop is the mutual information of finding and candidate: the answer's entropy less what is left once the
    candidate is known.
    """
    known = np.asarray(weights, np.float32) @ _binary_entropy(likely)
    return np.asarray(_binary_entropy(np.asarray(weights, np.float32) @ likely) - known)


def _binary_entropy(share: Floats) -> Floats:
    """Entropy in bits of yes and no."""
    yes = np.clip(share, 1e-7, 1 - 1e-7, dtype=np.float32)
    return np.asarray(-yes * np.log2(yes) - (1 - yes) * np.log2(1 - yes), np.float32)


def _is_open(explained: Explained, terms: Ints) -> NDArray[np.bool_]:
    """Whether neither what was observed nor what was excluded settles these findings."""
    is_finding = explained.knowledge.ontology.is_finding[terms]
    return np.asarray(is_finding & (explained.shared[terms] < _SETTLED) & ~explained.denied[terms])
