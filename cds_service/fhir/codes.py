"""What a CodeableConcept means to this service; a sender's spelling of one is read once and remembered.

The memory is keyed by the concept's bytes, bounded in number and length, and holds codes and labels only.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from msgspec import Raw, Struct

from cds_service.domain.patient import NotUsed, Value
from cds_service.domain.vital_codes import CODE_ONLY, CODED_VALUES, LOINC, SNOMED, VITAL_CODES
from cds_service.fhir.agreement import contradicts_value, contradicts_vital
from cds_service.fhir.shapes import CodeableConcept
from cds_service.fhir.text import bounded, is_given

# Oxygen saturation in arterial blood may be a blood-gas result: alone it is SpO2 only among the vital signs.
_ARTERIAL_SATURATION = (LOINC, "2708-6")
# Blood pressure averaged over days (US Core average blood pressure): no measurement of now.
_AVERAGES = frozenset({(LOINC, "96607-7")})
# Scales that ask for new confusion: "alert" on any other does not exclude it.
_ACVPU_SCALES = frozenset({(SNOMED, "1104441000000107"), (LOINC, "80339-5")})
_PREGNANCY_STATUS = (LOINC, "82810-3")
# SNOMED CT UK extension: the oxygen saturation parts of a NEWS2 score, by the scale that was used. A guide in
# circulation labels the second "systolic blood pressure score": a label given must name the scale.
_SCALES = {(SNOMED, "1104311000000102"): 1, (SNOMED, "1104321000000108"): 2}
_SCALE_LABELS = {1: ("scale 1", "scale 1 score"), 2: ("scale 2", "scale 2 score")}

_PULSES = frozenset({"heart_rate", "pulse_rate"})

# Answers yes and no: SNOMED CT (UK NEWS2 profiles), and HL7 v2 table 0136.
_YES_NO = {
    (SNOMED, "373066001"): True,
    (SNOMED, "373067005"): False,
    ("http://terminology.hl7.org/CodeSystem/v2-0136", "Y"): True,
    ("http://terminology.hl7.org/CodeSystem/v2-0136", "N"): False,
}

_REMEMBERED = 1024
_LONGEST_REMEMBERED = 1024
_DECODE = msgspec.json.Decoder(CodeableConcept | None).decode


class Refusal(Struct, gc=False, frozen=True):
    """Why a statement gives no value."""

    reason: NotUsed
    detail: str = ""
    alarming: bool = False


class Given(Struct, gc=False, frozen=True):
    """A value in its canonical form, with remarks on it."""

    value: Value
    flags: tuple[str, ...] = ()


class Meaning(Struct, gc=False, frozen=True):
    """What a statement's code stands for.

    `clash` is set when the code cannot be trusted; `said` what it says of oxygen by itself; `scale` the SpO2 scale
    it is a part of NEWS2 for; `states_fact` that it is of pregnancy or of that scale.
    """

    vital: str | None = None
    clash: Refusal | None = None
    said: bool | None = None
    asks_for_confusion: bool = False
    may_be_blood_gas: bool = False
    is_average: bool = False
    is_pregnancy_status: bool = False
    scale: int | None = None
    states_fact: bool = False
    readable: bool = True


_NOTHING = Meaning()
_meanings: dict[bytes, Meaning] = {}


def meaning_of(code: Raw) -> Meaning:
    """What the code of an Observation or component stands for."""
    text = bytes(code)
    return _meanings.get(text) or _learn(text)


def _learn(text: bytes) -> Meaning:
    """Work out what a code means and remember it; when there is no more room, start anew."""
    if not text:
        return _NOTHING
    meaning = _meaning(text)
    if len(text) <= _LONGEST_REMEMBERED:
        if len(_meanings) >= _REMEMBERED:
            _meanings.clear()
        _meanings[text] = meaning
    return meaning


def _meaning(text: bytes) -> Meaning:
    try:
        concept = _DECODE(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Meaning(readable=False)
    keys = keys_of(concept)
    vitals = [VITAL_CODES[key] for key in keys if key in VITAL_CODES]
    vital = _one_of(vitals)
    scale = _scale(concept)
    said = [bool(CODE_ONLY[key][1]) for key in keys if key in CODE_ONLY]
    return Meaning(
        vital=vital,
        clash=_clash(vital, vitals, concept),
        states_fact=_PREGNANCY_STATUS in keys or scale is not None,
        said=said[0] if said else None,
        asks_for_confusion=not _ACVPU_SCALES.isdisjoint(keys),
        may_be_blood_gas=vital == "spo2" and [key for key in keys if key in VITAL_CODES] == [_ARTERIAL_SATURATION],
        is_average=not _AVERAGES.isdisjoint(keys),
        is_pregnancy_status=_PREGNANCY_STATUS in keys,
        scale=scale,
    )


def keys_of(concept: CodeableConcept | None) -> list[tuple[str, str]]:
    """System and code of every coding."""
    return [] if concept is None else [(c.system or "", c.code or "") for c in concept.coding or ()]


def _one_of(vitals: list[str]) -> str | None:
    """The vital sign the codings name: a pulse where they name heart and pulse rate."""
    if len(set(vitals)) > 1 and _PULSES.issuperset(vitals):
        return "pulse_rate"
    return vitals[0] if vitals else None


def _clash(vital: str | None, vitals: list[str], concept: CodeableConcept | None) -> Refusal | None:
    if vital is None:
        return None
    if len(set(vitals)) > 1 and not _PULSES.issuperset(vitals):
        return Refusal(NotUsed.CODE_CONFLICT, "codings name different vital signs")
    labels = [] if concept is None else [concept.text, *(coding.display for coding in concept.coding or ())]
    if any(contradicts_vital(vital, label) for label in labels if label):
        return Refusal(NotUsed.CODE_CONFLICT, "code and text disagree")
    return None


def _scale(concept: CodeableConcept | None) -> int | None:
    for coding in () if concept is None else concept.coding or ():
        scale = _SCALES.get((coding.system or "", coding.code or ""))
        if scale is not None and (
            coding.display is None or coding.display.rstrip().lower().endswith(_SCALE_LABELS[scale])
        ):
            return scale
    return None


def concept_of(raw: Raw) -> CodeableConcept | None:
    """The concept of a raw member, None when it was not sent; msgspec.ValidationError when it has another shape."""
    return _DECODE(raw) if is_given(raw) else None


def coded_value(name: str, value: Raw) -> Given | Refusal:
    """The meaning of a coded value for this vital sign, or why it has none."""
    text = bytes(value)
    return _coded_value(name, text) if len(text) <= _LONGEST_REMEMBERED else _coded_value.__wrapped__(name, text)


@lru_cache(maxsize=_REMEMBERED)
def _coded_value(name: str, text: bytes) -> Given | Refusal:
    try:
        concept = _DECODE(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Refusal(NotUsed.UNKNOWN_VALUE, "valueCodeableConcept has an unexpected shape")
    if concept is None:
        return Refusal(NotUsed.NO_VALUE)
    meanings = {
        value for key in keys_of(concept) for vital, value in [CODED_VALUES.get(key, ("", ""))] if vital == name
    }
    if not meanings:
        return Refusal(
            NotUsed.UNKNOWN_VALUE, next((bounded(code) for _, code in keys_of(concept) if code), "text only")
        )
    if len(meanings) > 1:
        return Refusal(NotUsed.CODE_CONFLICT, "codings of the value disagree")
    meaning = meanings.pop()
    if contradicts_value(name, meaning, concept):
        return Refusal(NotUsed.CODE_CONFLICT, "code and text of the value disagree")
    return Given(meaning)


def answer_of(value: Raw) -> set[bool]:
    """Yes and no among the codings of a value; empty when neither is there."""
    try:
        concept = concept_of(value)
    except msgspec.ValidationError:
        return set()
    return {_YES_NO[key] for key in keys_of(concept) if key in _YES_NO}


def shown(value: Raw) -> str:
    """What a person would see of a coded value."""
    try:
        concept = concept_of(value)
    except msgspec.ValidationError:
        concept = None
    if concept is None:
        return ""
    labels = (concept.text, *(coding.display or coding.code for coding in concept.coding or ()))
    return bounded(next((label for label in labels if label), ""))
