"""Whether a code and the words beside it say the same: a mislabelled code is not scored.

Seen in real feeds and public code: 9269-2 (Glasgow total) labelled "Motor", 3141-9 (weight) labelled "LEAD",
80288-4 (consciousness) used for oxygen, 450847001 (responds to pain) shown as "Voice". The words are English and
Spanish, chosen by us; a text in which none is found contradicts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from cds_service.domain.patient import Value

_BEATS = "heart|pulse|puls[oea]|cardi|card[ií]aca"
_BREATHS = "respir|breath"
_SATURATION = r"satura|spo2|sao2|oxim"

# Vital sign: words that belong to another quantity, and words that settle that this one is meant.
_WORDS = {
    "heart_rate": (rf"{_BREATHS}|satura|pressure|presi[oó]n|temperat", f"{_BEATS}|ecg|ekg"),
    "pulse_rate": (rf"{_BREATHS}|satura|pressure|presi[oó]n|temperat", _BEATS),
    "respiratory_rate": (f"{_BEATS}|satura|temperat", f"{_BREATHS}|resp"),
    "temperature": (f"{_BEATS}|{_BREATHS}|satura|pressure|presi[oó]n", "temp"),
    "systolic_bp": (r"diast|\bmean\b|\bmedia\b|\bmap\b|average", "syst|sist[oó]l"),
    "diastolic_bp": (r"syst|sist[oó]l|\bmean\b|\bmedia\b|\bmap\b|average", "diast"),
    "spo2": (r"flow|flujo|inhaled|inspir|fio2|heart|frecuencia", _SATURATION),
    "oxygen_flow": (rf"glucos|concentra|fio2|{_SATURATION}", "flow|flujo|litre|liter"),
    "oxygen_concentration": (rf"glucos|flow|flujo|{_SATURATION}", "concentra|fio2|fraction|fracci[oó]n"),
    "consciousness": (r"oxygen|ox[ií]geno|glasgow", "conscious|concien|avpu|acvpu|alert|respons"),
    "gcs_total": (r"\bmotor\b|\bverbal\b|\beye\b|ocular", "total|sum"),
    "weight": (r"\blead\b|plomo|height|birth|nacer", "weight|peso"),
    "height": (r"weight|peso|head|circumf", "height|length|stature|talla|estatura|longitud"),
}
_TRAPS = {name: (re.compile(other, re.I), re.compile(own, re.I)) for name, (other, own) in _WORDS.items()}

_LEVELS = {
    "A": re.compile(r"alert|^A$", re.I),
    "C": re.compile(r"confus|^C$", re.I),
    "V": re.compile(r"voice|\bvoz\b|^V$", re.I),
    "P": re.compile(r"\bpain|dolor|^P$", re.I),
    "U": re.compile(r"unrespons|no respon|sin respuesta|^U$", re.I),
}
_ABO = re.compile(r"(?<![A-Za-z])(AB|A|B|O)(?![A-Za-z])")

# Longer text is a remark, not a label, and is not read.
_LONGEST_LABEL = 120


def contradicts_vital(name: str, text: str) -> bool:
    """Whether a label names another quantity than the vital sign its code stands for."""
    return name in _TRAPS and len(text) <= _LONGEST_LABEL and _names_another(name, text)


@lru_cache(maxsize=1024)
def _names_another(name: str, text: str) -> bool:
    other, own = _TRAPS[name]
    return other.search(text) is not None and own.search(text) is None


def contradicts_value(name: str, value: Value, labels: Iterable[str]) -> bool:
    """Whether a label beside a coded value names another value."""
    return any(_says_otherwise(name, value, label) for label in labels if len(label) <= _LONGEST_LABEL)


def _says_otherwise(name: str, value: Value, label: str) -> bool:
    # Not remembered: beside the value of one patient anything may be written.
    if name == "consciousness":
        mentioned = {level for level, words in _LEVELS.items() if words.search(label)}
        return bool(mentioned) and value not in mentioned
    if name == "blood_group":
        mentioned = set(_ABO.findall(label))
        group = str(value).rstrip("+-")
        return bool(mentioned and group) and group not in mentioned
    return False
