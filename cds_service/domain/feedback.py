"""What became of a card: accepted or overridden, possibly several times. It is never a diagnosis by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

ACCEPTED, OVERRIDDEN = "accepted", "overridden"
OUTCOMES = (ACCEPTED, OVERRIDDEN)

# How far ahead of our clock an outcome or an observation may be: chosen by us, as for readings (ReadingPolicy).
AHEAD_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Feedback:
    """One report on one card. `id` follows from what was reported, so the same report has the same id.

    `reason` is system and code of the override reason, None when none was given.
    """

    id: UUID
    card: UUID
    outcome: str
    outcome_timestamp: datetime
    received_at: datetime
    reason: tuple[str, str] | None = None


def by_time(reports: Iterable[Feedback]) -> list[Feedback]:
    """The reports in the order of what they report, whatever order they came in; the id decides between equals."""
    return sorted(reports, key=lambda report: (report.outcome_timestamp, report.id))


def standing_report(reports: Iterable[Feedback]) -> Feedback | None:
    """The report that holds: the last by its own timestamp. None where nothing was reported, which is no refusal."""
    ordered = by_time(reports)
    return ordered[-1] if ordered else None


def carries_diagnosis(report: Feedback, states: dict[tuple[str, str], str]) -> str | None:
    """The state an override's reason says the patient was in; `states` maps the reasons that say one."""
    if report.outcome != OVERRIDDEN or report.reason is None:
        return None
    return states.get(report.reason)


def diagnosing_reports(
    reports: Iterable[Feedback], states: dict[tuple[str, str], str]
) -> list[tuple[Feedback, str | None]]:
    """Reports on one card that matter to its label, each with its state, or None where it takes one back.

    A report without a state matters only after one with a state. So each further report only ever adds to the
    answer, and the answer does not depend on the order of arrival.
    """
    ordered = [(report, carries_diagnosis(report, states)) for report in by_time(reports)]
    first = next((place for place, (_, state) in enumerate(ordered) if state is not None), len(ordered))
    return ordered[first:]
