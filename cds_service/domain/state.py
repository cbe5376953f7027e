"""The states of disease as tags, each with what it rests on. Not shares of 100 %: acute on chronic is both.

The rules are ours (docs/reference/states.md), on top of NEWS2's published thresholds (RCP 2017). Version 1.

- acute: NEWS2 of 5 or more, a single 3, or the high band of risk.
- not-determinable: not acute by what is known, but an unknown input of NEWS2 could still reach 5 or be a 3, an
  impossible value was left out that may be an emergency, there is no NEWS2 (children, pregnancy, age unknown), or all
  that is known is normal but not enough of it is.
- mild: acute is excluded, and something is abnormal: a point of NEWS2, or more than low risk.
- not-ill: all seven NEWS2 inputs known and scoring 0, and low risk. Where the risk model does not apply it is not said.
- chronic, terminal: only from a recorded condition, whatever the vital signs say.
"""

from __future__ import annotations

from collections.abc import Mapping

from cds_service.domain.early_warning import URGENT
from cds_service.domain.patient import Condition, NotUsed, PatientSnapshot
from cds_service.domain.prediction import EarlyWarning, RiskEstimate, StateTag
from cds_service.domain.vitals import ALARMING

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
        return StateTag("acute", _BASES[has_trigger, is_high])
    if news2 is None or _may_be_acute(snapshot, news2):
        return _NOT_DETERMINABLE
    is_raised = risk is not None and risk.band != "low"
    if news2.lower or is_raised:
        return StateTag("mild", _BASES[news2.lower > 0, is_raised])
    if risk is not None and news2.complete:
        return StateTag("not-ill", _BASES[True, True])
    return _NOT_DETERMINABLE


# Left out although something was measured: what it was may matter more than what was used instead.
_UNREAD = frozenset(NotUsed) - {
    NotUsed.ENTERED_IN_ERROR,
    NotUsed.CANCELLED,
    NotUsed.NOT_FINAL,
    NotUsed.NO_VALUE,
    NotUsed.NOT_MEASURED,
    NotUsed.STALE,
    NotUsed.SUPERSEDED,
    NotUsed.OTHER_PATIENT,
    NotUsed.NO_PATIENT,
}
_NOT_DETERMINABLE = StateTag("not-determinable", ("rule",))
_RECORD = ("record",)


# By whether the score says it, and whether the model does.
_BASES: Mapping[tuple[bool, bool], tuple[str, ...]] = {
    (True, False): ("score",),
    (False, True): ("model",),
    (True, True): ("score", "model"),
}


def _may_be_acute(snapshot: PatientSnapshot, news2: EarlyWarning) -> bool:
    """Whether what is unknown, or a vital sign that was left out unread, could hide a trigger."""
    return news2.upper_level != "low" or any(
        reading.name in ALARMING and reading.reason in _UNREAD for reading in snapshot.not_used
    )


def _recorded(conditions: tuple[Condition, ...]) -> list[StateTag]:
    chronic = [_evidence(condition) for condition in conditions if condition.chronic]
    palliative = [_evidence(condition) for condition in conditions if condition.palliative]
    tags = [StateTag("chronic", _RECORD, tuple(chronic))] if chronic else []
    if palliative:
        tags.append(StateTag("terminal", _RECORD, tuple(palliative)))
    return tags


def _evidence(condition: Condition) -> str:
    return condition.code if condition.recorded is None else f"{condition.code} ({condition.recorded.year})"
