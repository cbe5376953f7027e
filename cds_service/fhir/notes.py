"""What a RiskAssessment says in words beside its numbers: the sentences of a card, one to a note."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cds_service.domain.patient import NotUsed, UnusedReading
from cds_service.domain.prediction import Prediction, StateTag
from cds_service.i18n import Translate, msgid
from cds_service.vocabulary import (
    ADVICE_WITHOUT_NEWS2,
    BASES,
    FIRST_REMARKS,
    NAMES,
    NEWS2_OMITTED,
    REASONS,
    RECORD_REMARKS,
    REMARKS,
    RISK_OMITTED,
    STATES,
    Table,
)

DISCLAIMER = msgid("Demonstration, not for clinical use.")


def notes(prediction: Prediction, t: Translate) -> list[str]:
    """What a card says beside the numbers, in its order: the record, readings, states, why a part is missing."""
    snapshot, news2 = prediction.snapshot, prediction.news2
    return [
        *(t(FIRST_REMARKS[remark]) for remark in snapshot.remarks if remark in FIRST_REMARKS),
        *_left_out(snapshot.not_used, t),
        *(_state(tag, t) for tag in prediction.states),
        *_omitted(prediction, t),
        *(said(remark, REMARKS, t) for remark in (news2.remarks if news2 else ())),
        *filter(None, (said(remark, RECORD_REMARKS, t) for remark in snapshot.remarks)),
        t(DISCLAIMER),
    ]


def said(code: str, table: Table, t: Translate) -> str:
    """The words for a code: itself when there are none, nothing when there is nothing to say."""
    words = table.get(code, code)
    return t(words) if words else ""


def _state(tag: StateTag, t: Translate) -> str:
    basis = [said(basis, BASES, t) for basis in tag.basis]
    return f"{said(tag.state, STATES, t)} ({', '.join((*basis, *tag.evidence))})"


def _omitted(prediction: Prediction, t: Translate) -> Iterator[str]:
    if prediction.news2_omitted is not None:
        reason = prediction.news2_omitted
        yield t(msgid("NEWS2 not calculated: %(reason)s")) % {"reason": said(reason, NEWS2_OMITTED, t)}
        if reason in ADVICE_WITHOUT_NEWS2:
            yield t(ADVICE_WITHOUT_NEWS2[reason])
    if prediction.risk_omitted is not None:
        reason = said(prediction.risk_omitted, RISK_OMITTED, t)
        values = {"version": prediction.model_version, "reason": reason}
        yield t(msgid("Risk model %(version)s not used: %(reason)s.")) % values


def _left_out(not_used: Iterable[UnusedReading], t: Translate) -> list[str]:
    """Readings that were not used and why, those that may be an emergency first."""
    unused = [reading for reading in not_used if reading.reason is not NotUsed.SUPERSEDED]
    alarms = [_sent(reading, t) for reading in unused if reading.alarming]
    others = [f"{_sent(reading, t)}: {said(reading.reason, REASONS, t)}" for reading in unused if not reading.alarming]
    titled = ((t(msgid("Check the patient")), alarms), (t(msgid("Not used")), others))
    return [f"{title}: {'; '.join(items)}" for title, items in titled if items]


def _sent(reading: UnusedReading, t: Translate) -> str:
    return f"{said(reading.name, NAMES, t)} {reading.original}".rstrip()
