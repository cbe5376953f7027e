"""The value of one OBX, by the type OBX-2 names: a number in its canonical unit, a code's meaning, or why neither."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from cds_service.domain.meanings import YES_NO_TABLE, Meaning, answers_of, coded_value
from cds_service.domain.patient import NotUsed
from cds_service.domain.statements import Given, Refusal, flag, quantity
from cds_service.domain.text import bounded
from cds_service.domain.vitals import VITAL_SIGNS, VitalSign
from cds_service.hl7.coding import codings_of, words_of
from cds_service.hl7.site import SiteMap
from cds_service.hl7.syntax import Syntax
from cds_service.hl7.tokens import NULL, Segment

PAIR = ("systolic_bp", "diastolic_bp")

CODED = frozenset({"CE", "CWE", "CNE"})
# Chapter 2A, NM: sign, digits, decimal point; no exponent, no blank inside.
_NUMBER = re.compile(r"[+-]?(?:\d{1,12}(?:\.\d{0,9})?|\.\d{1,9})", re.ASCII)
_PAIR = re.compile(r"(\d{1,3})/(\d{1,3})", re.ASCII)

_LONGEST_REMEMBERED = 200
_ALERT = Given("A")
_ALERT_ALONE = Given("A", ("confusion-not-asked",))
_NO_NUMBER = Refusal(NotUsed.NOT_A_NUMBER)
_NO_VALUE = Refusal(NotUsed.NO_VALUE)
_CLEARED = Refusal(NotUsed.NO_VALUE, "null")
_SEVERAL = Refusal(NotUsed.NOT_A_NUMBER, "several values")


def read_value(name: str, meaning: Meaning, obx: Segment, site: SiteMap) -> Given | Refusal:
    """The value an OBX gives for this vital sign, or why it gives none."""
    sign = VITAL_SIGNS[name]
    sent = obx.field(5)
    if sent == NULL:
        return _CLEARED
    if sign.kind == "flag":
        return _flag(meaning, obx)
    if not sent:
        return _NO_VALUE
    if obx.syntax.repetition in sent:
        return _SEVERAL
    kind = obx.part(2)
    if sign.kind == "code":
        return _coded(name, meaning, obx) if kind in CODED else Refusal(NotUsed.UNKNOWN_VALUE, _named(kind))
    read = _NUMBERS.get(kind)
    if read is None:
        return Refusal(NotUsed.NOT_A_NUMBER, _named(kind))
    value = read(obx)
    if isinstance(value, Refusal):
        return value
    given = quantity(sign, value, unit_of(sign, obx, site))
    if kind != "ST" or isinstance(given, Refusal):
        return given
    return Given(given.value, (*given.flags, "number-as-text"))


def read_pair(obx: Segment, site: SiteMap) -> tuple[Given | Refusal, Given | Refusal]:
    """Systolic and diastolic pressure of an OBX that holds both in one value."""
    pair = _pair(obx)
    if isinstance(pair, Refusal):
        return pair, pair
    systolic, diastolic = (
        quantity(sign, float(number), unit_of(sign, obx, site))
        for sign, number in zip((VITAL_SIGNS[name] for name in PAIR), pair, strict=True)
    )
    return systolic, diastolic


def _pair(obx: Segment) -> tuple[str, str] | Refusal:
    if obx.field(5) == NULL:
        return _CLEARED
    if len(obx.repetitions(5)) > 1:
        return _SEVERAL
    kind = obx.part(2)
    if kind == "SN":
        parts = obx.components(5)
        if len(parts) == 4 and parts[0] in ("", "=") and parts[2] == "/" and _NUMBER.fullmatch(parts[1]):
            return (parts[1], parts[3]) if _NUMBER.fullmatch(parts[3]) else _NO_NUMBER
    elif kind == "ST" and (match := _PAIR.fullmatch(obx.part(5))):
        return match[1], match[2]
    return Refusal(NotUsed.NOT_A_NUMBER, _named(kind))


def unit_of(sign: VitalSign, obx: Segment, site: SiteMap) -> str | None:
    """The unit of OBX-6 as the table of the vital sign spells it, by the site's spelling of it, or as it was sent."""
    sent = obx.field(6)
    if not sent or sent == NULL:
        return site.missing_units.get(sign.name)
    codes = _unit(sent, obx.syntax).codes
    for code in codes:
        known = site.units.get(code, code)
        if known in sign.units:
            return known
    return codes[0] if codes else None


class _Unit(NamedTuple):
    """OBX-6: its code and its alternate, or its text where it has none; and what a person would see of it."""

    codes: tuple[str, ...]
    shown: str


def _unit(sent: str, syntax: Syntax) -> _Unit:
    return (_read_unit if len(sent) <= _LONGEST_REMEMBERED else _read_unit.__wrapped__)(sent, syntax)


@lru_cache(maxsize=1024)
def _read_unit(sent: str, syntax: Syntax) -> _Unit:
    code, text, _, alternate = [*syntax.components(sent), "", "", ""][:4]
    codes = tuple(one for one in (code, alternate) if one) or tuple(one for one in (text,) if one)
    return _Unit(codes, "" if sent == NULL else text or code)


def original_of(obx: Segment) -> str:
    """Value and unit as they were sent, for a person to read: bounded and on one line; empty without a value."""
    kind, sent = obx.part(2), obx.field(5)
    if kind in CODED:
        value = words_of(sent, obx.syntax)
    else:
        value = "".join(obx.components(5)) if kind == "SN" else obx.syntax.text(sent)
    return bounded(f"{value} {_unit(obx.field(6), obx.syntax).shown}".rstrip()) if value else ""


def _named(kind: str) -> str:
    return bounded(kind) if kind else "OBX-2 is empty"


def _number(obx: Segment) -> float | Refusal:
    text = obx.syntax.text(obx.field(5))
    return float(text) if _NUMBER.fullmatch(text) else _NO_NUMBER


def _structured(obx: Segment) -> float | Refusal:
    """A structured numeric of one number: a comparator makes it a limit, a second number a range or a ratio."""
    comparator, first, *rest = [*obx.components(5), "", ""][:4]
    if comparator not in ("", "="):
        return Refusal(NotUsed.COMPARATOR)
    return float(first) if _NUMBER.fullmatch(first) and not any(rest) else _NO_NUMBER


# A number sent as text is one all the same, with a remark.
_NUMBERS: dict[str, Callable[[Segment], float | Refusal]] = {"NM": _number, "SN": _structured, "ST": _number}


def _coded(name: str, meaning: Meaning, obx: Segment) -> Given | Refusal:
    given = coded_value(name, codings_of(obx.field(5), obx.syntax), obx.part(5, 9))
    is_unasked = name == "consciousness" and given == _ALERT and not meaning.asks_for_confusion
    return _ALERT_ALONE if is_unasked else given


def _flag(meaning: Meaning, obx: Segment) -> Given | Refusal:
    """What a statement on oxygen says: by its code alone, or by the yes or no it answers to that code."""
    if not obx.field(5):
        return flag(None, meaning.said)
    if len(obx.repetitions(5)) > 1:
        return Refusal(NotUsed.UNKNOWN_VALUE, "several values")
    kind = obx.part(2)
    if kind not in (*CODED, "ID", "IS"):
        return Refusal(NotUsed.UNKNOWN_VALUE, _named(kind))
    codings = codings_of(obx.field(5), obx.syntax)
    keys = [coding.key for coding in codings]
    answers = answers_of(keys if kind in CODED else [(YES_NO_TABLE, obx.part(5))])
    if not answers:
        return coded_value("on_oxygen", codings)
    if len(answers) > 1:
        return Refusal(NotUsed.CODE_CONFLICT, "codings of the value disagree")
    return flag(answers.pop(), meaning.said)
