"""Which labels do not count until a steward has looked at them: a table of rules, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cds_service.domain.consensus import ADJUDICATORS
from cds_service.domain.early_warning import EMERGENCY
from cds_service.domain.feedback import AHEAD_TOLERANCE
from cds_service.domain.label import ACUITY, Kind, Label, Source, is_disputed
from cds_service.domain.policy import FeedbackPolicy

# So many others of one opinion make a contrary label doubtful. Chosen by us: two may err together, a third is asked.
_AGREEMENT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What is known when a label arrives.

    The counts are of labels of the same source received before it: from its author and its sender within a day, from
    its author within a minute. `referred` is the label it supersedes or withdraws, `standing` what holds for the same
    prediction, `news2` the lower bound of that prediction's score and `predicted_at` its time, None where it has none.
    `moves_too_much` says that a confirmed case would change the ranking of published cases beyond its bound.
    """

    author_today: int = 0
    sender_today: int = 0
    author_last_minute: int = 0
    referred: Label | None = None
    standing: tuple[Label, ...] = ()
    news2: int | None = None
    predicted_at: datetime | None = None
    moves_too_much: bool = False


Rule = Callable[[Label, Circumstances, FeedbackPolicy], bool]


def _is_burst(label: Label, known: Circumstances, policy: FeedbackPolicy) -> bool:
    """A problem list may be taken over whole; judgments of single predictions are given one by one."""
    return label.source is Source.FORM and bool(label.author) and known.author_last_minute >= policy.burst_labels


def _is_flood(label: Label, known: Circumstances, policy: FeedbackPolicy) -> bool:
    """A file of history is one act of whoever may run commands, however many rows it has."""
    return label.source is not Source.IMPORT and known.sender_today >= policy.sender_labels_a_day


def _is_early(label: Label, known: Circumstances, _policy: FeedbackPolicy) -> bool:
    return known.predicted_at is not None and label.observed_at < known.predicted_at - AHEAD_TOLERANCE


def _is_anothers(label: Label, known: Circumstances, _policy: FeedbackPolicy) -> bool:
    """Whoever confirms speaks of someone else's label; a row of history that changed replaces what the row said."""
    if known.referred is None or label.kind is Kind.CONFIRMATION or label.source is Source.IMPORT:
        return False
    return known.referred.by != label.by


def _is_outvoted(label: Label, known: Circumstances, _policy: FeedbackPolicy) -> bool:
    """Whoever settles a dispute takes a side, and may take the smaller one."""
    if label.role in ADJUDICATORS and is_disputed(known.standing):
        return False
    others: dict[str, set[str]] = {}
    for other in known.standing:
        if other.category in ACUITY and other.by != label.by:
            others.setdefault(other.category, set()).add(other.by)
    return label.category in ACUITY and any(
        len(authors) >= _AGREEMENT for category, authors in others.items() if category != label.category
    )


# First match wins. The numbers are the site's (FeedbackPolicy).
RULES: tuple[tuple[str, Rule], ...] = (
    (
        "author-cap",
        lambda label, known, policy: bool(label.author) and known.author_today >= policy.author_labels_a_day,
    ),
    ("sender-cap", _is_flood),
    ("burst", _is_burst),
    ("other-author", _is_anothers),
    ("observed-before-prediction", _is_early),
    (
        "contradicts-record",
        lambda label, known, policy: label.category == "not-ill" and (known.news2 or 0) >= EMERGENCY,
    ),
    ("outvoted", _is_outvoted),
    ("moves-published-cases", lambda _label, known, _policy: known.moves_too_much),
)


def quarantine_reason(label: Label, known: Circumstances, policy: FeedbackPolicy) -> str | None:
    """Why the label is held back, None when it counts. A release is a steward's decision and never held back."""
    if label.kind is Kind.RELEASE:
        return None
    return next((reason for reason, holds in RULES if holds(label, known, policy)), None)
