"""The value of one Observation or component: a number in its canonical unit, a code's meaning, or why neither."""

from __future__ import annotations

from msgspec import Raw, Struct

from cds_service.domain.patient import NotUsed, Value
from cds_service.domain.vital_codes import CODE_ONLY, CODED_VALUES
from cds_service.domain.vitals import VITAL_SIGNS, VitalSign
from cds_service.fhir.agreement import contradicts_value
from cds_service.fhir.shapes import CodeableConcept, Quantity, Statement
from cds_service.fhir.text import bounded, is_given

UCUM = "http://unitsofmeasure.org"

# A value of these that cannot be true may be the emergency itself: 0/min, an unrecordable pressure, 24 Cel.
_ALARMING = frozenset(
    {"heart_rate", "pulse_rate", "respiratory_rate", "spo2", "systolic_bp", "diastolic_bp", "temperature"}
)
# Shares of one, UCUM `1`, are percentages of these; anything over one is not guessed at.
_SHARES = frozenset({"spo2", "oxygen_concentration"})

# Answers yes and no, SNOMED CT (UK NEWS2 profiles), and HL7 v2 table 0136.
_SNOMED = "http://snomed.info/sct"
_YES_NO = {
    (_SNOMED, "373066001"): True,
    (_SNOMED, "373067005"): False,
    ("http://terminology.hl7.org/CodeSystem/v2-0136", "Y"): True,
    ("http://terminology.hl7.org/CodeSystem/v2-0136", "N"): False,
}


class Refusal(Struct, gc=False):
    """Why a statement gives no value."""

    reason: NotUsed
    detail: str = ""
    alarming: bool = False


class Given(Struct, gc=False):
    """A value in its canonical form, with remarks on it."""

    value: Value
    flags: tuple[str, ...] = ()


def read_value(name: str, statement: Statement) -> Given | Refusal:
    """The value a statement gives for this vital sign, or why it gives none."""
    if is_given(statement.data_absent_reason):
        return Refusal(NotUsed.NO_VALUE, "dataAbsentReason")
    sign = VITAL_SIGNS[name]
    if sign.kind == "quantity":
        quantity = statement.value_quantity
        return _number_elsewhere(sign, statement) if quantity is None else _quantity(sign, quantity)
    return _flag(statement) if sign.kind == "flag" else _coded(name, statement)


def _quantity(sign: VitalSign, quantity: Quantity) -> Given | Refusal:
    if quantity.comparator is not None:
        return Refusal(NotUsed.COMPARATOR)
    try:
        value = float(bytes(quantity.value))
    except ValueError:
        return Refusal(NotUsed.NOT_A_NUMBER if is_given(quantity.value) else NotUsed.NO_VALUE, "valueQuantity.value")
    unit = unit_of(quantity)
    factors = sign.units.get(unit or "")
    if factors is None:
        return _in_other_unit(sign, value, unit)
    return _plausible(sign, value * factors[0] + factors[1])


def _in_other_unit(sign: VitalSign, value: float, unit: str | None) -> Given | Refusal:
    if unit == "1" and sign.name in _SHARES and 0 <= value <= 1:
        given = _plausible(sign, value * 100)
        return Given(given.value, ("from-share",)) if isinstance(given, Given) else given
    if unit:
        return Refusal(NotUsed.UNKNOWN_UNIT, bounded(unit))
    if _is_score(sign):
        return _plausible(sign, value)
    return Refusal(NotUsed.MISSING_UNIT)


def _is_score(sign: VitalSign) -> bool:
    return sign.unit in ("{score}", "1")


def unit_of(quantity: Quantity) -> str | None:
    """UCUM's code when the system is UCUM, else the unit as the user saw it."""
    if quantity.system == UCUM and quantity.code:
        return quantity.code
    return quantity.unit or quantity.code


def _plausible(sign: VitalSign, value: float) -> Given | Refusal:
    if not sign.low <= value <= sign.high:
        return Refusal(
            NotUsed.IMPLAUSIBLE, f"outside {sign.low:g} to {sign.high:g} {sign.unit}", sign.name in _ALARMING
        )
    if sign.usable_low is not None and value < sign.usable_low:
        return Refusal(NotUsed.IMPLAUSIBLE, f"below {sign.usable_low:g} {sign.unit}", sign.name in _ALARMING)
    return Given(value)


def _number_elsewhere(sign: VitalSign, statement: Statement) -> Given | Refusal:
    """A number that is no Quantity: an integer counts where no unit is needed, nothing else does."""
    if is_given(statement.value_integer):
        if not _is_score(sign):
            return Refusal(NotUsed.MISSING_UNIT, "valueInteger")
        try:
            return _plausible(sign, float(int(bytes(statement.value_integer)[:20])))
        except ValueError:
            return Refusal(NotUsed.NOT_A_NUMBER, "valueInteger")
    sent = sent_member(statement)
    return Refusal(NotUsed.NOT_A_NUMBER, sent) if sent else Refusal(NotUsed.NO_VALUE)


_RAW_MEMBERS = {
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
        "valueCodeableConcept": statement.value_codeable_concept,
        "valueBoolean": statement.value_boolean,
        "valueString": statement.value_string,
    }
    return next((name for name, value in typed.items() if value is not None), "")


def _flag(statement: Statement) -> Given | Refusal:
    """What a statement on oxygen says: by its code alone, or by the yes or no it answers to that code."""
    said = _said_by_code(statement.code)
    answer = statement.value_boolean
    concept = statement.value_codeable_concept
    if concept is not None:
        answers = {_YES_NO.get((c.system or "", c.code or "")) for c in concept.coding or ()} - {None}
        if not answers:
            return _coded("on_oxygen", statement)
        if len(answers) > 1:
            return Refusal(NotUsed.CODE_CONFLICT, "codings of the value disagree")
        answer = answers.pop()
    if answer is None:
        sent = sent_member(statement)
        if sent:
            return Refusal(NotUsed.UNKNOWN_VALUE, sent)
        return Refusal(NotUsed.NO_VALUE) if said is None else Given(said, ("stated-by-code",))
    if answer:
        return Given(said is not False)
    return Refusal(NotUsed.UNKNOWN_VALUE, "room air denied") if said is False else Given(False)


def _said_by_code(concept: CodeableConcept | None) -> bool | None:
    for coding in () if concept is None else concept.coding or ():
        said = CODE_ONLY.get((coding.system or "", coding.code or ""))
        if said is not None:
            return bool(said[1])
    return None


def _coded(name: str, statement: Statement) -> Given | Refusal:
    concept = statement.value_codeable_concept
    if concept is None:
        sent = sent_member(statement)
        return Refusal(NotUsed.UNKNOWN_VALUE, sent) if sent else Refusal(NotUsed.NO_VALUE)
    meanings = {m for m in (_meaning(name, c.system, c.code) for c in concept.coding or ()) if m is not None}
    if not meanings:
        return Refusal(NotUsed.UNKNOWN_VALUE, _first_code(concept))
    if len(meanings) > 1:
        return Refusal(NotUsed.CODE_CONFLICT, "codings of the value disagree")
    value = meanings.pop()
    if contradicts_value(name, value, concept):
        return Refusal(NotUsed.CODE_CONFLICT, "code and text of the value disagree")
    return Given(value)


def _meaning(name: str, system: str | None, code: str | None) -> Value | None:
    vital, value = CODED_VALUES.get((system or "", code or ""), (None, None))
    return value if vital == name else None


def _first_code(concept: CodeableConcept) -> str:
    return next((bounded(c.code) for c in concept.coding or () if c.code), "text only")


def original_of(statement: Statement) -> str:
    """Value and unit as they were sent, for a person to read: bounded and on one line."""
    quantity = statement.value_quantity
    if quantity is not None:
        number = str(quantity.value, "utf-8", "replace")
        text = f"{quantity.comparator or ''}{number} {quantity.unit or quantity.code or ''}".rstrip()
        return bounded(text)
    concept = statement.value_codeable_concept
    if concept is not None:
        shown = concept.text or next((c.display or c.code for c in concept.coding or () if c.display or c.code), None)
        return bounded(shown or "")
    if statement.value_string is not None:
        return bounded(statement.value_string)
    if statement.value_boolean is not None:
        return "true" if statement.value_boolean else "false"
    return bounded(str(statement.value_integer, "utf-8", "replace"))
