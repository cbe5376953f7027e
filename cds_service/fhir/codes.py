"""A CodeableConcept to what it means here; a sender's spelling of one is read once and remembered.

The memory is keyed by the concept's bytes, bounded in number and length, and holds codes and labels only.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from cds_service.domain.meanings import NOTHING, Coding, Meaning, answers_of
from cds_service.domain.meanings import coded_value as value_of_codings
from cds_service.domain.meanings import meaning_of as meaning_of_codings
from cds_service.domain.patient import NotUsed
from cds_service.domain.statements import Given, Refusal
from cds_service.domain.text import bounded
from cds_service.fhir.memory import Remembered
from cds_service.fhir.shapes import CodeableConcept
from cds_service.fhir.text import is_given

_REMEMBERED = 1024
_LONGEST_REMEMBERED = 1024
_DECODE = msgspec.json.Decoder(CodeableConcept | None).decode


def meaning_of(code: Raw) -> Meaning:
    """What the code of an Observation or component stands for."""
    return MEANINGS[bytes(code)]


def _meaning(text: bytes) -> Meaning:
    if not text:
        return NOTHING
    try:
        concept = _DECODE(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Meaning(readable=False)
    return NOTHING if concept is None else meaning_of_codings(_codings(concept), concept.text or "")


# What the code of an Observation or component stands for, by its bytes.
MEANINGS = Remembered(_meaning, keeps=lambda text, _: len(text) <= _LONGEST_REMEMBERED, room=_REMEMBERED)


def _codings(concept: CodeableConcept) -> list[Coding]:
    return [Coding((c.system or "", c.code or ""), c.display or "") for c in concept.coding or ()]


def keys_of(concept: CodeableConcept | None) -> list[tuple[str, str]]:
    """System and code of every coding."""
    return [] if concept is None else [(c.system or "", c.code or "") for c in concept.coding or ()]


def concept_of(raw: Raw) -> CodeableConcept | None:
    """The concept of a raw member, None when it was not sent; msgspec.ValidationError when it has another shape."""
    return _DECODE(raw) if is_given(raw) else None


def coded_value(name: str, value: Raw) -> Given | Refusal:
    """The meaning of a coded value for this vital sign, or why it has none."""
    return _VALUES[name, bytes(value)]


def _value(sent: tuple[str, bytes]) -> Given | Refusal:
    name, text = sent
    try:
        concept = _DECODE(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Refusal(NotUsed.UNKNOWN_VALUE, "valueCodeableConcept has an unexpected shape")
    if concept is None:
        return Refusal(NotUsed.NO_VALUE)
    return value_of_codings(name, _codings(concept), concept.text or "")


_VALUES = Remembered(_value, keeps=lambda sent, _: len(sent[1]) <= _LONGEST_REMEMBERED, room=_REMEMBERED)


def answer_of(value: Raw) -> set[bool]:
    """Yes and no among the codings of a value; empty when neither is there."""
    try:
        concept = concept_of(value)
    except msgspec.ValidationError:
        return set()
    return answers_of(keys_of(concept))


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
