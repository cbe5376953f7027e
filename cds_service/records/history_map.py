"""How a hospital's own file is to be read: which column is what, in which units, words, dates and characters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from zoneinfo import ZoneInfo

from cds_service.domain.codes import ICD10CM, normalised
from cds_service.records.reader import FIELDS

# Fields of a history beside those of every flat record.
OWN_FIELDS = ("visit_id", "birth_date", "category", "icu_admission", "diagnosis")
HISTORY_FIELDS = frozenset({*FIELDS, *OWN_FIELDS})

# Words in which a category is read without being declared, as `normalised` spells them.
_CATEGORIES = {
    "not-ill": ("not ill", "healthy", "no enfermo", "no enferma", "sano", "sana"),
    "mild": ("mild", "leve"),
    "acute": ("acute", "agudo", "aguda"),
    "chronic": ("chronic", "cronico", "cronica"),
    "terminal": ("terminal",),
}
# No single letters: M is a man in English and a woman in Spanish, so a file declares its own.
_SEXES = {
    "male": ("male", "man", "hombre", "varon", "masculino"),
    "female": ("female", "woman", "mujer", "femenino"),
    "unknown": ("unknown", "other", "desconocido", "otro"),
}

# What is done with a row: the choices of each rule, the first is the default.
RULES = MappingProxyType(
    {
        "unreadable": ("drop", "missing"),
        "impossible": ("missing", "drop"),
        "invalid_characters": ("drop", "strip"),
        "duplicates": ("last", "first"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryMap:
    """One declared column map. `columns` is field to header; `units`, field to unit; `values`, field to word to value.

    `rules` says what is done with what is wrong, by the names of `RULES`.
    """

    columns: Mapping[str, str]
    units: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=lambda: {name: choices[0] for name, choices in RULES.items()})
    dates: tuple[str, ...] = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M", "%Y-%m-%d")
    missing: frozenset[str] = frozenset({""})
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    encoding: str = "utf-8-sig"
    delimiter: str = ","
    decimal: str = "."
    encounter_class: str = "EMER"
    diagnosis_system: str = ICD10CM
    synthetic: bool = False

    def words(self, name: str) -> Mapping[str, str]:
        """What each word of a field stands for: ours, then those the file declares, spelled as `normalised` does."""
        ours = {"category": _CATEGORIES, "sex": _SEXES}.get(name, {})
        known = {word: value for value, words in ours.items() for word in words}
        return known | {spelled(word): value for word, value in self.values.get(name, {}).items()}


def spelled(word: str) -> str:
    """A word without case, accents and punctuation."""
    return " ".join(normalised(word))
