"""The states of disease as tags, each with what it rests on. Not shares of 100 %: acute on chronic is both.

The rules are ours (docs/reference/states.md), on top of NEWS2's published thresholds (RCP 2017). Version 1.

- acute: NEWS2 of 5 or more, a single 3, or the high band of risk.
- not-ill: all seven NEWS2 inputs known and scoring 0, low risk, and no impossible value left out.
- mild: neither, but something is abnormal: a point of NEWS2 while acute is excluded, or more than low risk.
- not-determinable: too little is known for any of the three.
- chronic, terminal: only from a recorded condition, whatever the vital signs say.
"""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.domain.early_warning import URGENT
from cds_service.domain.patient import Condition, PatientSnapshot
from cds_service.domain.prediction import EarlyWarning, RiskEstimate, StateTag

STATES_VERSION = "1"
STATES = ("not-ill", "mild", "acute", "chronic", "terminal", "not-determinable")


def state_tags(
    *, snapshot: PatientSnapshot, news2: EarlyWarning | None, risk: RiskEstimate | None
) -> tuple[StateTag, ...]:
    """The states this snapshot supports: one of acuity first, then those a record gives."""
    return (_acuity(snapshot, news2, risk), *_recorded(snapshot.conditions or ()))


def _acuity(snapshot: PatientSnapshot, news2: EarlyWarning | None, risk: RiskEstimate | None) -> StateTag:
    is_high = risk is not None and risk.band == "high"
    has_trigger = news2 is not None and (news2.lower >= URGENT or bool(news2.red))
    if is_high or has_trigger:
        return StateTag("acute", ("score",) * has_trigger + ("model",) * is_high)
    if news2 is None or risk is None or news2.upper >= URGENT:
        return _known_abnormal(news2, risk)
    if news2.lower or risk.band != "low":
        return StateTag("mild", ("score",) * bool(news2.lower) + ("model",) * (risk.band != "low"))
    if news2.complete and not any(reading.alarming for reading in snapshot.not_used):
        return StateTag("not-ill", ("score", "model"))
    return StateTag("not-determinable", ("rule",))


def _known_abnormal(news2: EarlyWarning | None, risk: RiskEstimate | None) -> StateTag:
    """Without a risk or with a wide NEWS2: mild only where acute is excluded and something is abnormal."""
    if news2 is not None and risk is None and news2.upper < URGENT and news2.lower:
        return StateTag("mild", ("score",))
    return StateTag("not-determinable", ("rule",))


def _recorded(conditions: tuple[Condition, ...]) -> Iterator[StateTag]:
    chronic = tuple(_evidence(condition) for condition in conditions if condition.chronic)
    palliative = tuple(_evidence(condition) for condition in conditions if condition.palliative)
    if chronic:
        yield StateTag("chronic", ("record",), chronic)
    if palliative:
        yield StateTag("terminal", ("record",), palliative)


def _evidence(condition: Condition) -> str:
    return condition.code if condition.recorded is None else f"{condition.code} ({condition.recorded.year})"
