"""The value of one Observation or component: a number in its canonical unit, a code's meaning, or why neither."""

from __future__ import annotations

from msgspec import Raw

from cds_service.domain.patient import NotUsed
from cds_service.domain.units import is_alarming, is_share
from cds_service.domain.vitals import VITAL_SIGNS, VitalSign
from cds_service.fhir.codes import Given, Meaning, Refusal, answer_of, coded_value, shown
from cds_service.fhir.shapes import Quantity, Statement
from cds_service.fhir.text import MAX_ORIGINAL, bounded, is_given

UCUM = "http://unitsofmeasure.org"

_SCORE = "{score}"
_NO_NUMBER = Refusal(NotUsed.NOT_A_NUMBER, "valueQuantity.value")
_NO_VALUE = Refusal(NotUsed.NO_VALUE)

# An integer longer than this is no reading, and Python refuses to read it from 4,300 digits on.
_LONGEST_INTEGER = 20


def read_value(name: str, meaning: Meaning, statement: Statement) -> Given | Refusal:
    """The value a statement gives for this vital sign, or why it gives none."""
    if len(statement.data_absent_reason) and is_given(statement.data_absent_reason):
        return Refusal(NotUsed.NO_VALUE, "dataAbsentReason")
    sign = VITAL_SIGNS[name]
    if sign.kind == "quantity":
        quantity = statement.value_quantity
        return _number_elsewhere(sign, statement) if quantity is None else _quantity(sign, quantity)
    return _flag(meaning, statement) if sign.kind == "flag" else _coded(name, statement)


def _quantity(sign: VitalSign, quantity: Quantity) -> Given | Refusal:
    """The number in the canonical unit; the unit is UCUM's code when the system is UCUM, else what the user saw."""
    if quantity.comparator is not None:
        return Refusal(NotUsed.COMPARATOR)
    try:
        value = float(quantity.value)
    except ValueError:
        return _NO_NUMBER if is_given(quantity.value) else _NO_VALUE
    unit = quantity.code if quantity.system == UCUM and quantity.code else quantity.unit or quantity.code
    scale = sign.units.get(unit or "")
    if scale is None:
        return _in_other_unit(sign, value, unit)
    value = value * scale[0] + scale[1]
    if sign.low <= value <= sign.high and (sign.usable_low is None or value >= sign.usable_low):
        return Given(value)
    return _implausible(sign, value)


def _in_other_unit(sign: VitalSign, value: float, unit: str | None) -> Given | Refusal:
    if unit is not None and is_share(sign.name, value, unit):
        given = _plausible(sign, value * 100)
        return Given(given.value, ("from-share",)) if isinstance(given, Given) else given
    if unit:
        return Refusal(NotUsed.UNKNOWN_UNIT, bounded(unit))
    return _plausible(sign, value) if sign.unit == _SCORE else Refusal(NotUsed.MISSING_UNIT)


def _plausible(sign: VitalSign, value: float) -> Given | Refusal:
    low = sign.low if sign.usable_low is None else sign.usable_low
    return Given(value) if low <= value <= sign.high else _implausible(sign, value)


def _implausible(sign: VitalSign, value: float) -> Refusal:
    plausible = sign.low <= value <= sign.high
    detail = f"under {sign.usable_low:g}" if plausible else f"outside {sign.low:g} to {sign.high:g}"
    return Refusal(NotUsed.IMPLAUSIBLE, f"{detail} {sign.unit}", is_alarming(sign.name, value))


def _number_elsewhere(sign: VitalSign, statement: Statement) -> Given | Refusal:
    """A number that is no Quantity: an integer counts where no unit is needed, nothing else does."""
    if is_given(statement.value_integer):
        if sign.unit != _SCORE:
            return Refusal(NotUsed.MISSING_UNIT, "valueInteger")
        text = bytes(statement.value_integer)
        if len(text) > _LONGEST_INTEGER or not text.lstrip(b"-").isdigit():
            return Refusal(NotUsed.NOT_A_NUMBER, "valueInteger")
        return _plausible(sign, float(text))
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
    if answer is None:
        return _said_by_code(meaning.said, statement)
    if answer:
        return Given(meaning.said is not False)
    return Refusal(NotUsed.UNKNOWN_VALUE, "room air denied") if meaning.said is False else Given(False)


def _said_by_code(said: bool | None, statement: Statement) -> Given | Refusal:
    sent = sent_member(statement)
    if sent:
        return Refusal(NotUsed.UNKNOWN_VALUE, sent)
    return _NO_VALUE if said is None else Given(said, ("stated-by-code",))


def original_of(statement: Statement) -> str:
    """Value and unit as they were sent, for a person to read: bounded and on one line."""
    quantity = statement.value_quantity
    if quantity is not None:
        text = f"{quantity.comparator or ''}{str(quantity.value, 'utf-8')} {quantity.unit or quantity.code or ''}"
        return text if len(text) <= MAX_ORIGINAL and text.isprintable() and text[-1] != " " else bounded(text.rstrip())
    if is_given(statement.value_codeable_concept):
        return shown(statement.value_codeable_concept)
    if statement.value_string is not None:
        return bounded(statement.value_string)
    if statement.value_boolean is not None:
        return "true" if statement.value_boolean else "false"
    return bounded(str(statement.value_integer, "utf-8", "replace"))
