"""After "already assessed" a patient's card stays quiet for a while, unless something got worse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from cds_service.domain.prediction import EarlyWarning, Prediction, RiskEstimate

_BANDS = ("low", "moderate", "high")
_LEVELS = ("low", "low-medium", "medium", "high")


class Severity(NamedTuple):
    """How bad a prediction says it is: places of band and NEWS2 level in their order (-1 for none), and its 3s."""

    band: int
    level: int
    red: frozenset[str]


def severity(news2: EarlyWarning | None, risk: RiskEstimate | None) -> Severity:
    """The severity of these conclusions; a Glasgow total that is not full counts like a 3."""
    return Severity(
        band=-1 if risk is None else _BANDS.index(risk.band),
        level=-1 if news2 is None else _LEVELS.index(news2.level),
        red=frozenset() if news2 is None else frozenset((*news2.red, *_as_red(news2))),
    )


def _as_red(news2: EarlyWarning) -> tuple[str, ...]:
    return tuple(remark for remark in news2.remarks if remark == "glasgow-not-full")


@dataclass(frozen=True, slots=True)
class Snooze:
    """A clinician said that the patient was assessed at this severity; it keeps until `end`."""

    end: datetime
    assessed: Severity

    def keeps_quiet(self, prediction: Prediction) -> bool:
        """Whether the prediction is within the time and no worse: no higher band or level, no new 3, no alarm."""
        snapshot, assessed = prediction.snapshot, self.assessed
        if snapshot.at >= self.end or any(reading.alarming for reading in snapshot.not_used):
            return False
        now = severity(prediction.news2, prediction.risk)
        return now.band <= assessed.band and now.level <= assessed.level and now.red <= assessed.red
