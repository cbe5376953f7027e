"""Recorded diagnoses: what the tables say of their codes, and whether they record a pregnancy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from cds_service.domain.codes import ICD10, ICD10CM, SNOMED, CodeTables, chronic_category, is_chronic, is_palliative
from cds_service.domain.patient import Condition, new_condition
from cds_service.domain.text import bounded

# Pregnancy, childbirth and the puerperium (ICD-10 chapter O), pregnant state incidental (Z33.1), supervision of
# pregnancy (Z34), weeks of gestation (ICD-10-CM Z3A).
_PREGNANT_ICD = ("O", "Z331", "Z34", "Z3A")
# SNOMED CT 77386006 Pregnant, and findings that say so more closely. But for the first, well formed and found under
# these names in public lists; the meaning is to be confirmed in a licensed release.
PREGNANT_SNOMED = frozenset(
    {
        "77386006",  # pregnant
        "72892002",  # normal pregnancy
        "47200007",  # high risk pregnancy
        "65727000",  # intrauterine pregnancy
        "9279009",  # extra-amniotic pregnancy
        "45307008",  # extrachorial pregnancy
        "102876002",  # multigravida
        "127363001",  # number of pregnancies, currently pregnant
        "14418008",  # precocious pregnancy
        "102875003",  # surrogate pregnancy
        "83074005",  # unplanned pregnancy
        "58532003",  # unwanted pregnancy
        "169560008",  # pregnant, urine test confirms
        "169561007",  # pregnant, blood test confirms
        "169562000",  # pregnant, vaginal examination confirms
        "169563005",  # pregnant, on history
        "169564004",  # pregnant, on abdominal palpation
        "439311009",  # intends to continue pregnancy
        "48194001",  # pregnancy-induced hypertension
        "398254007",  # pre-eclampsia
    }
)
# Words that may mean a pregnancy where no code says so, and turns of phrase in which they mean none of now: denied,
# past, or only tested for. They only ever make the card ask; chosen by us.
_PREGNANT = r"(?:pregnan|embaraz|gestante|gestaci|gestati|gravid)\w*"
_PREGNANT_WORDS = re.compile(_PREGNANT, re.IGNORECASE)
_BETWEEN = r"(?:(?:an?|any|currently|del?|está|evidence|evidencia|known|of|una?)\s+){0,4}"
_BETWEEN_PAST = r"(?:(?:an?|compli\w+|del?|of|other|otras|una?)\s+){0,5}"
_NOT_NOW = re.compile(
    rf"\b(?:denies|never|niega|no|non|not|nunca|past|previous|sin)\b[\s-]*{_BETWEEN}{_PREGNANT}"
    rf"|\b(?:history|historia|antecedentes?)\s+{_BETWEEN_PAST}{_PREGNANT}"
    rf"|\b(?:prueba|test)\s+(?:de|del|for)\s+{_PREGNANT}\b(?!\s+positiv)"
    rf"|{_PREGNANT}\s+(?:anterior|descartad[oa]|excluded|previ[oa]|ruled\s+out|test\b(?!\s+positiv))",
    re.IGNORECASE,
)

# 42 weeks of gestation and 6 of puerperium: an older record says nothing of today. Chosen by us.
PREGNANCY_LASTS = timedelta(weeks=48)

# Longer than any code of the systems read here; a longer text is no code.
MAX_CODE = 64
_SYSTEMS = (ICD10CM, ICD10, SNOMED)


class Diagnosis(NamedTuple):
    """What the tables say of a diagnosis' code."""

    system: str
    code: str
    chronic: bool | None
    category: str | None
    palliative: bool

    def recorded_in(self, source: str, recorded: date | None) -> Condition:
        """The diagnosis as one place records it."""
        system, code, chronic, category, palliative = self
        return new_condition((system, code, source, chronic, category, palliative, recorded))


def diagnosis_of(codings: Sequence[tuple[str, str]], tables: CodeTables) -> Diagnosis | None:
    """What all codings (system, code) say together, under one of them; None when there is none.

    That is the one that says pregnant, which changes what may be scored, else the first the tables know, else the
    first of a system they are about, else the first.
    """
    pairs = tuple([(system, code) for system, code in codings if system and code and len(code) <= MAX_CODE])
    if not pairs:
        return None
    is_short = len(pairs) <= 2 and all(len(system) <= MAX_CODE for system, _ in pairs)
    return (_diagnosis if is_short else _diagnosis.__wrapped__)(pairs, tables)


@lru_cache(maxsize=2048)
def _diagnosis(pairs: tuple[tuple[str, str], ...], tables: CodeTables) -> Diagnosis:
    chronic = {pair: said for pair in pairs if (said := is_chronic(tables, *pair)) is not None}
    pregnant = [pair for pair in pairs if pair[0] in _SYSTEMS and _is_pregnancy(*pair)]
    familiar = [pair for pair in pairs if pair[0] in _SYSTEMS]
    system, code = [*pregnant, *chronic, *familiar, *pairs][0]
    categories = (chronic_category(tables, *pair) for pair in pairs)
    return Diagnosis(
        system=bounded(system, MAX_CODE),
        code=bounded(code, MAX_CODE),
        chronic=any(chronic.values()) if chronic else None,
        category=next((category for category in categories if category is not None), None),
        palliative=any(is_palliative(*pair) for pair in pairs),
    )


def records_pregnancy(condition: Condition, at: datetime) -> bool | None:
    """Whether a present condition says the patient is pregnant, or gave birth within the last weeks.

    None when it says so but was recorded too long ago: it may be another pregnancy, or one that is over.
    """
    if not _is_pregnancy(condition.system, condition.code):
        return False
    is_recent = condition.recorded is None or at.date() - condition.recorded <= PREGNANCY_LASTS
    return True if is_recent else None


def may_mean_pregnancy(text: str) -> bool:
    """Whether the words of a diagnosis (English or Spanish) may say that the patient is pregnant."""
    return _PREGNANT_WORDS.search(text) is not None and _PREGNANT_WORDS.search(_NOT_NOW.sub("", text)) is not None


@lru_cache(maxsize=4096)
def _is_pregnancy(system: str, code: str) -> bool:
    if system == SNOMED:
        return code in PREGNANT_SNOMED
    return system in (ICD10, ICD10CM) and code.replace(".", "").upper().startswith(_PREGNANT_ICD)


def count_chronic(conditions: tuple[Condition, ...]) -> int:
    """How many different chronic-condition categories are recorded, as the training data counts them."""
    return len({c.chronic_category for c in conditions if c.chronic_category is not None})
