"""What the codes of a statement mean: the vital sign they name, whether they can be trusted, and coded values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cds_service.domain.agreement import contradicts_value, contradicts_vital
from cds_service.domain.patient import NotUsed
from cds_service.domain.statements import Given, Refusal
from cds_service.domain.text import bounded
from cds_service.domain.vital_codes import (
    CODE_ONLY,
    CODED_VALUES,
    LOINC,
    MDC,
    REFERENCE_IDS,
    SNOMED,
    VITAL_CODES,
    Key,
)

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
YES_NO_TABLE = "http://terminology.hl7.org/CodeSystem/v2-0136"
_YES_NO = {
    (SNOMED, "373066001"): True,
    (SNOMED, "373067005"): False,
    (YES_NO_TABLE, "Y"): True,
    (YES_NO_TABLE, "N"): False,
}

BLOOD_GAS = Refusal(NotUsed.CODE_CONFLICT, "2708-6 without category vital-signs may be a blood gas")


class Coding(NamedTuple):
    """A code with its system, and the words the sender put beside it."""

    key: Key
    label: str = ""


@dataclass(frozen=True, slots=True)
class Meaning:
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


NOTHING = Meaning()


def meaning_of(codings: Sequence[Coding], text: str = "") -> Meaning:
    """What the codings of one statement say together; `text` is what stands beside all of them."""
    keys = [coding.key for coding in codings]
    vitals = [VITAL_CODES[key] for key in keys if key in VITAL_CODES]
    vital = _one_of(vitals)
    scale = _scale(codings)
    said = [bool(CODE_ONLY[key][1]) for key in keys if key in CODE_ONLY]
    return Meaning(
        vital=vital,
        clash=_clash(vital, vitals, codings, text),
        states_fact=_PREGNANCY_STATUS in keys or scale is not None,
        said=said[0] if said else None,
        asks_for_confusion=not _ACVPU_SCALES.isdisjoint(keys),
        may_be_blood_gas=vital == "spo2" and [key for key in keys if key in VITAL_CODES] == [_ARTERIAL_SATURATION],
        is_average=not _AVERAGES.isdisjoint(keys),
        is_pregnancy_status=_PREGNANCY_STATUS in keys,
        scale=scale,
    )


def _one_of(vitals: list[str]) -> str | None:
    """The vital sign the codings name: a pulse where they name heart and pulse rate."""
    if len(set(vitals)) > 1 and _PULSES.issuperset(vitals):
        return "pulse_rate"
    return vitals[0] if vitals else None


def _clash(vital: str | None, vitals: list[str], codings: Sequence[Coding], text: str) -> Refusal | None:
    if vital is None:
        return None
    if len(set(vitals)) > 1 and not _PULSES.issuperset(vitals):
        return Refusal(NotUsed.CODE_CONFLICT, "codings name different vital signs")
    labels = [text, *(coding.label for coding in codings)]
    if any(contradicts_vital(vital, label) for label in labels if label) or any(map(_is_misnamed, codings)):
        return Refusal(NotUsed.CODE_CONFLICT, "code and text disagree")
    return None


def _is_misnamed(coding: Coding) -> bool:
    """Whether a device code stands beside the reference identifier of another one."""
    if coding.key[0] != MDC or not coding.label.startswith("MDC_"):
        return False
    known = REFERENCE_IDS.get(coding.key[1])
    return known is not None and coding.label not in known


def _scale(codings: Iterable[Coding]) -> int | None:
    for key, label in codings:
        scale = _SCALES.get(key)
        if scale is not None and (not label or label.rstrip().lower().endswith(_SCALE_LABELS[scale])):
            return scale
    return None


def coded_value(name: str, codings: Sequence[Coding], text: str = "") -> Given | Refusal:
    """The meaning of a coded value for this vital sign, or why it has none."""
    meanings = {value for key, _ in codings for vital, value in [CODED_VALUES.get(key, ("", ""))] if vital == name}
    if not meanings:
        codes = (code for (_, code), _ in codings if code)
        return Refusal(NotUsed.UNKNOWN_VALUE, next(map(bounded, codes), "text only"))
    if len(meanings) > 1:
        return Refusal(NotUsed.CODE_CONFLICT, "codings of the value disagree")
    meaning = meanings.pop()
    labels = [label for label in (text, *(coding.label for coding in codings)) if label]
    if contradicts_value(name, meaning, labels):
        return Refusal(NotUsed.CODE_CONFLICT, "code and text of the value disagree")
    return Given(meaning)


def answers_of(keys: Iterable[Key]) -> set[bool]:
    """Yes and no among the codes of a value; empty when neither is there."""
    return {_YES_NO[key] for key in keys if key in _YES_NO}
