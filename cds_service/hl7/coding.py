"""Coded elements (CE, CWE, CNE) to codes of known systems, and what the code of an OBX means at this site."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from cds_service.domain.codes import ICD10, ICD10CM
from cds_service.domain.meanings import YES_NO_TABLE, Coding, Meaning, meaning_of
from cds_service.domain.patient import NotUsed
from cds_service.domain.statements import Refusal
from cds_service.domain.text import MAX_SOURCE, bounded
from cds_service.domain.vital_codes import LOINC, MDC, SNOMED, VITAL_CODES, Key
from cds_service.hl7.site import SiteMap
from cds_service.hl7.syntax import Syntax

# Names of coding systems (HL7 table 0396), and the object identifiers and spellings senders use instead.
SYSTEMS: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("LN", "LOINC", "2.16.840.1.113883.6.1"), LOINC)
    | dict.fromkeys(("SCT", "SNOMED-CT", "SNOMEDCT", "SNOMED CT", "2.16.840.1.113883.6.96"), SNOMED)
    | {"MDC": MDC}
    | dict.fromkeys(("I10C", "I10CM", "ICD10CM", "ICD-10-CM", "2.16.840.1.113883.6.90"), ICD10CM)
    | dict.fromkeys(("I10", "ICD10", "ICD-10", "2.16.840.1.113883.6.3"), ICD10)
    | {"HL70136": YES_NO_TABLE}
)

# Codes under which both pressures come in one value: `^140^/^84` (SN) or `120/80` (ST).
PRESSURE_PAIRS: frozenset[Key] = frozenset({(LOINC, code) for code in ("85354-9", "35094-2", "55284-4")})

_UNNAMED = Refusal(NotUsed.CODE_CONFLICT, "no coding system in OBX-3.3: name it, or the code in the site file")
_LONGEST_REMEMBERED = 400
# Chosen by us: a code with its name. What is longer, or has no code, is somebody's words of one patient.
_LONGEST_CODED = 60


def codings_of(sent: str, syntax: Syntax) -> list[Coding]:
    """The code and its alternate, each under the address of its system; an unknown system keeps its name."""
    parts = syntax.components(sent)
    parts += [""] * (6 - len(parts))
    return [
        Coding((SYSTEMS.get(system.upper(), system), code), label)
        for code, label, system in (parts[:3], parts[3:6])
        if code
    ]


def words_of(sent: str, syntax: Syntax) -> str:
    """What a person would see of a coded element: its original text, else a label, else the code."""
    parts = syntax.components(sent)
    parts += [""] * (9 - len(parts))
    return next((parts[place - 1] for place in (9, 2, 5, 1, 4) if parts[place - 1]), "")


class Coded(NamedTuple):
    """A coded element: its codes with their systems, and what a person would see of it."""

    keys: tuple[Key, ...]
    words: str


def coded_of(sent: str, syntax: Syntax) -> Coded:
    """What `codings_of` and `words_of` say of a coded element, read once for all that hold it if short."""
    is_remembered = len(sent) <= _LONGEST_CODED and syntax.component in sent and not sent.startswith(syntax.component)
    return (_coded if is_remembered else _coded.__wrapped__)(sent, syntax)


@lru_cache(maxsize=2048)
def _coded(sent: str, syntax: Syntax) -> Coded:
    return Coded(tuple(coding.key for coding in codings_of(sent, syntax)), words_of(sent, syntax))


class Code(NamedTuple):
    """What OBX-3 names: `key` is code and system as they were sent; under a pair both pressures come in one value."""

    meaning: Meaning
    key: str
    is_pair: bool = False


def code_of(sent: str, syntax: Syntax, site: SiteMap) -> Code:
    """What OBX-3 stands for; a code the site file names is trusted whatever text stands beside it."""
    read = _code if len(sent) <= _LONGEST_REMEMBERED else _code.__wrapped__
    return read(sent, syntax, site)


@lru_cache(maxsize=4096)
def _code(sent: str, syntax: Syntax, site: SiteMap) -> Code:
    parts = syntax.components(sent)
    parts += [""] * (9 - len(parts))
    key = bounded(f"{parts[0]}^{parts[2]}", MAX_SOURCE)
    for code, system in ((parts[0], parts[2]), (parts[3], parts[5])):
        vital = site.codes.get(f"{code}^{system}") if code else None
        if vital is not None:
            return Code(Meaning(vital=vital), key)
    codings = codings_of(sent, syntax)
    if codings and not any(system for (system, _), _ in codings):
        return Code(_without_system(codings), key)
    is_pair = not PRESSURE_PAIRS.isdisjoint(coding.key for coding in codings)
    return Code(meaning_of(codings, parts[8]), key, is_pair)


def _without_system(codings: list[Coding]) -> Meaning:
    """The vital sign a bare code may stand for, not to be trusted: numbers of different systems are alike."""
    names = {VITAL_CODES.get((system, coding.key[1])) for system in (LOINC, MDC, SNOMED) for coding in codings}
    names.discard(None)
    return Meaning(vital=names.pop(), clash=_UNNAMED) if len(names) == 1 else Meaning()
