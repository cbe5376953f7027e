"""The value of one Observation or component: a number in its canonical unit, a code's meaning, or why neither."""

from __future__ import annotations

from msgspec import Raw, Struct

from cds_service.domain.meanings import Meaning
from cds_service.domain.patient import NotUsed
from cds_service.domain.statements import SCORE, Given, Refusal, flag, plausible, quantity
from cds_service.domain.text import MAX_ORIGINAL, bounded
from cds_service.domain.vitals import VITAL_SIGNS, VitalSign
from cds_service.fhir.codes import answer_of, coded_value, shown
from cds_service.fhir.memory import Remembered
from cds_service.fhir.shapes import Quantity, Statement
from cds_service.fhir.text import is_given

UCUM = "http://unitsofmeasure.org"

_NO_NUMBER = Refusal(NotUsed.NOT_A_NUMBER, "valueQuantity.value")
_NO_VALUE = Refusal(NotUsed.NO_VALUE)

# An integer longer than this is no reading, and Python refuses to read it from 4,300 digits on.
_LONGEST_INTEGER = 20

_REMEMBERED = 512


def usual_quantity(name: str, sent: Quantity) -> tuple[float, str] | None:
    """Value and original of a quantity as nearly all are sent, the same `read_value` and `original_of` would give.

    Such a one is exact, plausible and in a unit that leaves no question; None of any other.
    """
    unit = _UNITS[name, sent.code, sent.system, sent.unit]
    if unit is None or sent.comparator is not None:
        return None
    number = str(sent.value, "utf-8")
    try:
        value = float(number) * unit.factor + unit.offset
    except ValueError:
        return None
    original = number + unit.shown
    return (value, original) if unit.low <= value <= unit.high and len(original) <= MAX_ORIGINAL else None


class _Unit(Struct, frozen=True, gc=False):
    """What a unit makes of a number: factor and offset into the canonical one, the usable range, how it is shown."""

    factor: float
    offset: float
    low: float
    high: float
    shown: str


def _unit(sent: tuple[str, str | None, str | None, str | None]) -> _Unit | None:
    """The unit, when it is one of the vital sign in UCUM, and what a person sees of it is no other, and printable."""
    name, code, system, seen = sent
    sign = VITAL_SIGNS[name]
    scale = sign.units.get(code or "")
    shown = f" {seen or code}"
    if scale is None or system != UCUM or _disagree(sign, code, seen) or bounded(shown.rstrip()) != shown:
        return None
    low = sign.low if sign.usable_low is None else sign.usable_low
    return _Unit(*scale, low, sign.high, shown)


# By vital sign, code, system and the unit a person sees.
_UNITS = Remembered(_unit, keeps=lambda _, unit: unit is not None, room=_REMEMBERED)


def read_value(name: str, meaning: Meaning, statement: Statement) -> Given | Refusal:
    """The value a statement gives for this vital sign, or why it gives none."""
    if len(statement.data_absent_reason) and is_given(statement.data_absent_reason):
        return Refusal(NotUsed.NO_VALUE, "dataAbsentReason")
    sign = VITAL_SIGNS[name]
    if sign.kind == "quantity":
        sent = statement.value_quantity
        return _number_elsewhere(sign, statement) if sent is None else _quantity(sign, sent)
    return _flag(meaning, statement) if sign.kind == "flag" else _coded(name, statement)


def _quantity(sign: VitalSign, sent: Quantity) -> Given | Refusal:
    """The number in the canonical unit; the unit is UCUM's code when the system is UCUM, else what the user saw."""
    if sent.comparator is not None:
        return Refusal(NotUsed.COMPARATOR)
    try:
        value = float(sent.value)
    except ValueError:
        return _NO_NUMBER if is_given(sent.value) else _NO_VALUE
    unit = sent.code if sent.system == UCUM and sent.code else sent.unit or sent.code
    if sent.unit != sent.code and _disagree(sign, sent.code, sent.unit):
        return Refusal(NotUsed.CODE_CONFLICT, f"{bounded(sent.unit or '')} but {bounded(sent.code or '')}")
    return quantity(sign, value, unit)


def _disagree(sign: VitalSign, code: str | None, shown_unit: str | None) -> bool:
    """Whether the unit a person saw is one of this vital sign, and another than the code says."""
    seen = sign.units.get(shown_unit or "")
    return seen is not None and sign.units.get(code or "", seen) != seen


def _number_elsewhere(sign: VitalSign, statement: Statement) -> Given | Refusal:
    """A number that is no Quantity: an integer counts where no unit is needed, nothing else does."""
    if is_given(statement.value_integer):
        if sign.unit != SCORE:
            return Refusal(NotUsed.MISSING_UNIT, "valueInteger")
        text = bytes(statement.value_integer)
        if len(text) > _LONGEST_INTEGER or not text.lstrip(b"-").isdigit():
            return Refusal(NotUsed.NOT_A_NUMBER, "valueInteger")
        return plausible(sign, float(text))
    sent = sent_member(statement)
    return Refusal(NotUsed.NOT_A_NUMBER, sent) if sent else _NO_VALUE


_RAW_MEMBERS = {
    "valueCodeableConcept": "value_codeable_concept",
    "valueInteger": "value_integer",
    "valueRange": "value_range",
    "valueRatio": "value_ratio",
    "valueSampledData": "value_sampled_data",
    "valueTime": "value_time",
    "valueDateTime": "value_date_time",
    "valuePeriod": "value_period",
}


def sent_member(statement: Statement) -> str:
    """Name of the value[x] member that was sent, or empty."""
    for name, attribute in _RAW_MEMBERS.items():
        raw: Raw = getattr(statement, attribute)
        if is_given(raw):
            return name
    typed = {
        "valueQuantity": statement.value_quantity,
        "valueBoolean": statement.value_boolean,
        "valueString": statement.value_string,
    }
    return next((name for name, value in typed.items() if value is not None), "")


def _coded(name: str, statement: Statement) -> Given | Refusal:
    if is_given(statement.value_codeable_concept):
        return coded_value(name, statement.value_codeable_concept)
    sent = sent_member(statement)
    return Refusal(NotUsed.UNKNOWN_VALUE, sent) if sent else _NO_VALUE


def _flag(meaning: Meaning, statement: Statement) -> Given | Refusal:
    """What a statement on oxygen says: by its code alone, or by the yes or no it answers to that code."""
    answer = statement.value_boolean
    if is_given(statement.value_codeable_concept):
        answers = answer_of(statement.value_codeable_concept)
        if not answers:
            return coded_value("on_oxygen", statement.value_codeable_concept)
        if len(answers) > 1:
            return Refusal(NotUsed.CODE_CONFLICT, "codings of the value disagree")
        answer = answers.pop()
    sent = sent_member(statement) if answer is None else ""
    return Refusal(NotUsed.UNKNOWN_VALUE, sent) if sent else flag(answer, meaning.said)


def original_of(statement: Statement) -> str:
    """Value and unit as they were sent, for a person to read: bounded and on one line."""
    sent = statement.value_quantity
    if sent is not None:
        text = f"{sent.comparator or ''}{str(sent.value, 'utf-8')} {sent.unit or sent.code or ''}"
        return text if len(text) <= MAX_ORIGINAL and text.isprintable() and text[-1] != " " else bounded(text.rstrip())
    if is_given(statement.value_codeable_concept):
        return shown(statement.value_codeable_concept)
    if statement.value_string is not None:
        return bounded(statement.value_string)
    if statement.value_boolean is not None:
        return "true" if statement.value_boolean else "false"
    return bounded(str(statement.value_integer, "utf-8", "replace"))
