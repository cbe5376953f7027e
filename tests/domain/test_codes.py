"""What the shipped code tables say, and what they must never say."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from cds_service.domain.codes import (
    ICD10,
    ICD10CM,
    SNOMED,
    chronic_category,
    complaint_group,
    is_chronic,
    is_palliative,
    normalised,
)
from cds_service.domain.complaints import COMPLAINT_GROUPS
from cds_service.domain.diagnoses import PREGNANT_SNOMED
from cds_service.inference.codes import load_code_tables

ROOT = Path(__file__).parents[2]
TABLES = load_code_tables(ROOT / "models")
COMPLAINTS = tomllib.loads((ROOT / "training/tables/complaints.toml").read_text(encoding="utf-8"))
CONCEPTS = tomllib.loads((ROOT / "training/tables/snomed.toml").read_text(encoding="utf-8"))
CATEGORIES = tomllib.loads((ROOT / "training/tables/chronic_conditions.toml").read_text(encoding="utf-8"))

# Verhoeff's tables: the dihedral group D5 and the permutation (Verhoeff 1969), as SNOMED CT identifiers use them.
_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _times(a: int, b: int) -> int:
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b - 5) % 5
    return 5 + (a - 5 - b) % 5 if b < 5 else (a - b) % 5


def has_check_digit(concept: str) -> bool:
    check = 0
    for place, digit in enumerate(reversed(concept)):
        value = int(digit)
        for _ in range(place % 8):
            value = _PERMUTATION[value]
        check = _times(check, value)
    return check == 0


def test_check_digit_tells_a_right_concept_from_a_wrong_one():
    assert has_check_digit("29857009")
    assert not has_check_digit("29857008")


def test_every_snomed_concept_has_its_check_digit():
    concepts = [*CONCEPTS, *(concept for entry in COMPLAINTS.values() for concept in entry["snomed"])]

    assert [concept for concept in [*concepts, *PREGNANT_SNOMED] if not has_check_digit(concept)] == []


def test_every_group_of_the_model_is_in_the_table_and_no_other():
    assert sorted(COMPLAINTS) == sorted(COMPLAINT_GROUPS)


@pytest.mark.parametrize("group", COMPLAINT_GROUPS)
def test_every_group_is_reached_from_each_vocabulary(group):
    entry = COMPLAINTS[group]

    assert complaint_group(TABLES, [(ICD10CM, entry["icd10cm"][0].ljust(3, "0"))], None) == group
    for language in ("en", "es"):
        reached = {complaint_group(TABLES, [], phrase) for phrase in entry[language]}
        assert reached == {group}, language


def test_no_code_or_phrase_belongs_to_two_groups():
    codes = Counter(code for entry in COMPLAINTS.values() for code in (*entry["icd10cm"], *entry["snomed"]))
    phrases = Counter(
        phrase
        for entry in COMPLAINTS.values()
        for phrase in {" ".join(normalised(words)) for words in (*entry["en"], *entry["es"])}
    )

    assert [code for code, count in (codes | phrases).items() if count > 1] == []


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("Chest pain since this morning", "chest-pain"),
        ("DOLOR TORÁCICO opresivo", "chest-pain"),
        ("Dolor", "general-pain"),
        ("no puede respirar", "laboured-breathing"),
        ("Denies chest pain, cough", None),
        ("Denies chest pain. Fever for 3 days", "fever"),
        ("niega dolor torácico pero tiene fiebre", "fever"),
        ("sin hogar", "administrative"),
        ("n/v x2", "vomiting"),
        ("fall, hit head", "head-injury"),
        ("xyzzy", None),
        ("", None),
        ("chest pain " * 10_000, "chest-pain"),
    ],
)
def test_chief_complaints_as_clinicians_write_them(text, group):
    assert complaint_group(TABLES, [], text) == group


def test_a_code_comes_before_the_text():
    assert complaint_group(TABLES, [("urn:local", "1"), (ICD10CM, "R07.9")], "fever") == "chest-pain"


def test_words_sent_as_a_code_are_read_as_words():
    assert complaint_group(TABLES, [(ICD10CM, "Chest pain")], "Chest pain") == "chest-pain"


def test_the_longest_prefix_wins():
    assert complaint_group(TABLES, [(ICD10CM, "R10.13")], None) == "upper-abdominal-pain"
    assert complaint_group(TABLES, [(ICD10CM, "R10.9")], None) == "abdominal-pain"


@pytest.mark.parametrize(
    ("system", "code", "chronic", "category"),
    [
        (ICD10CM, "E11.9", True, "diabetes-type-2"),
        (ICD10CM, "e119", True, "diabetes-type-2"),
        (ICD10CM, "N18.6", True, "end-stage-renal-disease"),
        (ICD10CM, "N18.3", True, "chronic-kidney-disease"),
        (ICD10CM, "A00.1", False, None),
        (ICD10, "J45", True, "asthma"),
        (SNOMED, "44054006", True, "diabetes-type-2"),
        (SNOMED, "1", None, None),
        (ICD10CM, "", None, None),
        (ICD10CM, "QQQ", None, None),
        ("urn:local", "E11.9", None, None),
    ],
)
def test_chronic_codes(system, code, chronic, category):
    assert is_chronic(TABLES, system, code) is chronic
    assert chronic_category(TABLES, system, code) == category


def test_prefixes_of_categories_belong_to_one_category():
    prefixes = Counter(prefix for listed in CATEGORIES.values() for prefix in listed)

    assert max(prefixes.values()) == 1


def test_every_bridged_concept_is_known_to_the_chronic_table():
    assert [code for code in CONCEPTS.values() if is_chronic(TABLES, ICD10CM, code) is None] == []


@pytest.mark.parametrize(
    ("system", "code", "palliative"),
    [
        (ICD10CM, "Z51.5", True),
        (ICD10CM, "C78.7", True),
        (ICD10, "C79", True),
        (SNOMED, "103735009", True),
        (ICD10CM, "C50.9", False),
        (SNOMED, "Z51.5", False),
        ("urn:local", "Z51.5", False),
    ],
)
def test_palliative_codes(system, code, palliative):
    assert is_palliative(system, code) is palliative
