"""Reads `phenotype.hpoa`: what is annotated to each disease, with frequencies, references, onset and inheritance."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cds_service.errors import ConfigurationError

# Sources kept: OMIM and Orphanet. DECIPHER's 47 syndromes come under terms of their own.
_SOURCES = ("OMIM", "ORPHA")
_COLUMNS = 12

# HPO frequency subontology: each class as the middle of its defined range.
# Source: HPO, "Frequency" HP:0040279: obligate 100 %, very frequent 80-99 %, frequent 30-79 %, occasional 5-29 %,
# very rare 1-4 %, excluded 0 %.
FREQUENCY_CLASSES = {
    "HP:0040280": 1.0,
    "HP:0040281": 0.895,
    "HP:0040282": 0.545,
    "HP:0040283": 0.17,
    "HP:0040284": 0.025,
    "HP:0040285": 0.0,
}
# A class or a percentage counts as that share of this many patients; chosen by us: 3, 10 and 30 rank alike.
PATIENTS_OF_A_CLASS = 10.0


class Annotation(NamedTuple):
    """One finding of one disease in one source: seen in `k` of `m` patients; both 0 where nobody said how often."""

    disease: str
    term: str
    reference: str
    k: float
    m: float


@dataclass(slots=True)
class Annotations:
    """The whole file; `onsets` and `inheritances` hold HPO terms by disease."""

    version: str
    names: dict[str, str]
    findings: list[Annotation]
    onsets: dict[str, list[str]]
    inheritances: dict[str, list[str]]


def read_hpoa(path: Path) -> Annotations:
    """The file's annotations; rows with the qualifier NOT are left out."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigurationError("cannot be read as UTF-8 text", where=str(path)) from problem
    version = next((line.split(":", 1)[1].strip() for line in lines[:20] if re.match("#version:|#date:", line)), "")
    if not version:
        raise ConfigurationError("says no version in its first lines", where=str(path))
    found = Annotations(version, {}, [], {}, {})
    for number, line in enumerate(lines, 1):
        if not line.startswith(("#", "database_id")):
            _read_line(line, found, f"{path}:{number}")
    return found


def _read_line(line: str, found: Annotations, where: str) -> None:
    cells = line.split("\t")
    if len(cells) != _COLUMNS:
        raise ConfigurationError(f"has {len(cells)} columns, not {_COLUMNS}", where=where)
    disease, name, qualifier, term, reference, _, _, frequency, _, _, aspect, _ = cells
    if not disease.startswith(_SOURCES) or qualifier == "NOT":
        return
    found.names[disease] = name
    if aspect == "P":
        k, m = _frequency(frequency, where)
        found.findings.append(Annotation(disease, term, reference, k, m))
    elif aspect == "C":
        found.onsets.setdefault(disease, []).append(term)
    elif aspect == "I":
        found.inheritances.setdefault(disease, []).append(term)


def _frequency(text: str, where: str) -> tuple[float, float]:
    """How many of how many patients."""
    if not text:
        return 0.0, 0.0
    if text in FREQUENCY_CLASSES:
        return FREQUENCY_CLASSES[text] * PATIENTS_OF_A_CLASS, PATIENTS_OF_A_CLASS
    try:
        if text.endswith("%"):
            return float(text[:-1]) / 100 * PATIENTS_OF_A_CLASS, PATIENTS_OF_A_CLASS
        seen, _, of = text.partition("/")
        return float(int(seen)), float(int(of))
    except ValueError as problem:
        raise ConfigurationError(f"frequency {text!r} is no share", where=where) from problem
