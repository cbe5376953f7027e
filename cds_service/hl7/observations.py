"""OBX segments to observations: in what state, when, and which vital sign each is of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import NamedTuple

from cds_service.domain.facts import PREGNANCY_ANSWERS
from cds_service.domain.meanings import BLOOD_GAS, Meaning
from cds_service.domain.patient import NotUsed
from cds_service.domain.statements import Given, Refusal
from cds_service.domain.text import MAX_SOURCE, bounded
from cds_service.domain.vital_codes import LOINC
from cds_service.hl7.coding import code_of, codings_of
from cds_service.hl7.message import CODE, KIND, MARKS, STATUS, TIME, UNITS, VALUE, Change, Fact, Key, Observation
from cds_service.hl7.site import SiteMap
from cds_service.hl7.syntax import Syntax
from cds_service.hl7.times import Moment, moment_of
from cds_service.hl7.tokens import NULL, Segment
from cds_service.hl7.values import CODED, PAIR, original_of, read_pair, read_value

# HL7 table 0085 (observation result status). U: "changed to final without retransmitting".
FINAL = frozenset("FCAU")
_PRELIMINARY = frozenset("RPS")
_NOT_USED = {
    "D": NotUsed.ENTERED_IN_ERROR,
    "W": NotUsed.ENTERED_IN_ERROR,
    "X": NotUsed.CANCELLED,
}
WITHDRAWN = frozenset("DW")
_CHANGES = {"C": Change.CORRECTS, "A": Change.CORRECTS, **dict.fromkeys(WITHDRAWN, Change.WITHDRAWS)}
# Some monitors send the status one field early: what table 0080 (nature of abnormal test) does not hold.
_EARLY_STATUS = frozenset("FCPDWXIOU")

# What devices write in OBX-8 beside a number that measures nothing. Null flavors: IHE PCD Technical Framework,
# OBX-8 (NI to OTH); DEMO met in a monitor's feed; the last three recalled from the same framework, to be confirmed.
NOT_MEASURED = frozenset(
    {"NI", "NA", "NAV", "OFF", "MSK", "OTH", "NAN", "PINF", "NINF", "DEMO", "TEST", "CALIB", "INV"}
)
_VITAL_SIGNS_PANEL = (LOINC, "85353-1")
_UNIT_REASONS = frozenset({NotUsed.UNKNOWN_UNIT, NotUsed.MISSING_UNIT})
# What is remembered of vital signs, chosen by us: numbers, nulls and short codes with their names. Text in any other
# shape may be somebody's words of one patient. An OBX of a vital sign is half as long as the bound.
_LONGEST_REMEMBERED = 300
_REMEMBERED = CODED | {"NM", "SN", "ST"}
_NUMBER = re.compile(r'[-+=<>^/.0-9"]{0,20}')
_LONGEST_CODE, _MOST_COMPONENTS = 80, 6
_NO_TIME = Refusal(NotUsed.NO_TIME, "no time")
_BAD_TIME = Refusal(NotUsed.NO_TIME, "not an HL7 time, or one the clocks of its zone skip")


class Context(NamedTuple):
    """What holds for the observations of one order: whose rules, the zone, and the times they fall back on.

    `order_id` names the order across messages: the filler's number, else the placer's.
    """

    site: SiteMap
    zone: tzinfo
    unverified_is_final: bool
    message_time: str
    standings: dict[tuple[object, ...], Standing]  # of this order so far: most of its OBX stand alike
    order: Segment | None = None
    order_id: str = ""

    def within(self, order: Segment | None) -> Context:
        """The same, for the observations of this order."""
        order_id = "" if order is None else bounded(order.part(3) or order.part(2), MAX_SOURCE)
        return Context(self.site, self.zone, self.unverified_is_final, self.message_time, {}, order, order_id)


class Standing(NamedTuple):
    """What holds for every statement of one OBX; with a refusal, and the field at fault, none can be used."""

    status: str
    time: datetime | None
    flags: tuple[str, ...]
    refusal: Refusal | None = None
    at_fault: int = VALUE


class Said(NamedTuple):
    """What the type, code, value and unit of an OBX say, whosever it is: values by vital sign, and how it was sent."""

    values: tuple[tuple[str, Given | Refusal], ...] = ()
    original: str = ""


def read_observation(obx: Segment, context: Context) -> Iterator[Observation]:
    """The statements of vital signs of one OBX: none, one, or the two of a pair of pressures."""
    code = code_of(obx.field(CODE), obx.syntax, context.site)
    if code.meaning.vital is None and not code.is_pair:
        return
    values, original = _said_of(obx, context.site)
    if values:
        standing = _standing_of(obx, code.meaning, context)
        key = Key(context.order_id, code.key, _sub_id(obx))
        for name, value in values:
            yield _observation(name, standing.refusal or value, standing, obx, key, original)


def _said_of(obx: Segment, site: SiteMap) -> Said:
    """Read once for all OBX of vital signs that say the same: monitors send few codes, and their numbers repeat."""
    sent = obx.field(KIND), obx.field(CODE), obx.field(VALUE), obx.field(UNITS)
    is_remembered = sum(map(len, sent)) <= _LONGEST_REMEMBERED and _may_be_remembered(sent[0], sent[2], obx.syntax)
    return (_said if is_remembered else _said.__wrapped__)(sent, obx.syntax, site)


def _may_be_remembered(kind: str, value: str, syntax: Syntax) -> bool:
    """Whether a value is a number or a code, and no words of anybody's."""
    if _NUMBER.fullmatch(value) is not None:
        return kind in _REMEMBERED
    is_short = kind in CODED and len(value) <= _LONGEST_CODE and not value.startswith(syntax.component)
    return is_short and 0 < value.count(syntax.component) < _MOST_COMPONENTS


@lru_cache(maxsize=4096)
def _said(sent: tuple[str, str, str, str], syntax: Syntax, site: SiteMap) -> Said:
    kind, code_sent, value, units = sent
    code = code_of(code_sent, syntax, site)
    obx = Segment("OBX", ["OBX", "", kind, code_sent, "", value, units], 1, syntax)
    if code.meaning.vital is not None:
        read = read_value(code.meaning.vital, code.meaning, obx, site)
        return Said(((code.meaning.vital, read),), original_of(obx))
    return Said(tuple(zip(PAIR, read_pair(obx, site), strict=True)), original_of(obx)) if value else Said()


def read_fact(obx: Segment, context: Context) -> Fact | None:
    """What an OBX says of pregnancy or of the SpO2 scale, None when it says nothing of them."""
    meaning = code_of(obx.field(CODE), obx.syntax, context.site).meaning
    if not meaning.states_fact or obx.field(VALUE) in ("", NULL):
        return None
    standing = _standing_of(obx, meaning, context)
    time = None if standing.refusal else standing.time
    if meaning.scale is not None:
        return Fact(time, scales=frozenset({meaning.scale}), is_attributed=bool(obx.part(16) or obx.part(16, 2)))
    codings = codings_of(obx.field(VALUE), obx.syntax)
    answers = {PREGNANCY_ANSWERS[coding.key] for coding in codings if coding.key in PREGNANCY_ANSWERS}
    return Fact(time, pregnant=answers.pop()) if len(answers) == 1 else None


def _sub_id(obx: Segment) -> str:
    sent = obx.field(4)
    return bounded(obx.syntax.text(sent), MAX_SOURCE) if sent else ""


def _standing_of(obx: Segment, meaning: Meaning, context: Context) -> Standing:
    """State and time of an OBX, read once for all of its order that say the same of them."""
    key = (*obx.fields[MARKS : TIME + 1], meaning.clash, meaning.may_be_blood_gas)
    standing = context.standings.get(key)
    if standing is None:
        standing = context.standings[key] = _read_standing(obx, meaning, context)
    return standing


def _read_standing(obx: Segment, meaning: Meaning, context: Context) -> Standing:
    """State and time of an OBX, and why it cannot be used at all: status, then marks, time and code."""
    status, flags = _status_of(obx)
    if status in _PRELIMINARY and not (status == "R" and context.unverified_is_final):
        flags += ("preliminary",)
    moment, more = _moment_of(obx, context)
    time = None
    if moment is not None:
        time = moment.time
        flags += more + moment.flags
    if status not in FINAL and status not in _PRELIMINARY:
        refusal = Refusal(_NOT_USED.get(status, NotUsed.NOT_FINAL), status)
        return Standing(status, time, flags, refusal, STATUS)
    mark = _device_mark(obx)
    if mark:
        return Standing(status, time, flags, Refusal(NotUsed.NOT_MEASURED, mark), MARKS)
    if time is None:
        return Standing(status, None, flags, _BAD_TIME if obx.part(TIME) else _NO_TIME, TIME)
    clash = meaning.clash or (BLOOD_GAS if meaning.may_be_blood_gas and not _is_of_panel(context.order) else None)
    return Standing(status, time, flags, clash, CODE if clash else VALUE)


def _status_of(obx: Segment) -> tuple[str, tuple[str, ...]]:
    """OBX-11; where it is empty what stands one field early, else final, each with a remark."""
    status = obx.part(STATUS)
    if status:
        return bounded(status), ()
    early = obx.part(STATUS - 1)
    return (early, ("status-in-obx-10",)) if early in _EARLY_STATUS else ("F", ("status-missing",))


def _moment_of(obx: Segment, context: Context) -> tuple[Moment | None, tuple[str, ...]]:
    """When it was observed: OBX-14, else the times of the order (OBR-7, 8, 14, 22), else when it was sent (MSH-7)."""
    own = obx.part(TIME)
    if own:
        return moment_of(own, context.zone), ()
    for number in (7, 8, 14, 22):
        text = context.order.part(number) if context.order is not None else ""
        if text:
            return moment_of(text, context.zone), ("time-from-order",)
    return moment_of(context.message_time, context.zone), ("time-from-message",)


def _device_mark(obx: Segment) -> str:
    """The mark by which a device says that nothing was measured, or empty."""
    for sent in obx.repetitions(MARKS):
        for part in obx.syntax.components(sent):
            if part.upper() in NOT_MEASURED:
                return part.upper()
    return ""


def _is_of_panel(order: Segment | None) -> bool:
    """Whether the order is of vital signs, so that a saturation is no blood gas."""
    return order is not None and any(
        coding.key == _VITAL_SIGNS_PANEL for coding in codings_of(order.field(4), order.syntax)
    )


def _observation(
    name: str, value: Given | Refusal, standing: Standing, obx: Segment, key: Key, original: str
) -> Observation:
    flags = standing.flags
    at_fault = standing.at_fault
    change = _CHANGES.get(standing.status, Change.NONE)
    if isinstance(value, Given):
        flags += value.flags
    elif value.reason in _UNIT_REASONS:
        at_fault = UNITS
    elif obx.field(VALUE) == NULL and standing.refusal is None:
        change = Change.CLEARS
    return Observation(
        name,
        value,
        standing.time,
        key,
        standing.status,
        change,
        obx.place,
        at_fault,
        original,
        flags,
    )
