"""The short names of common diagnoses: codes that exist, each once, in both languages."""

from __future__ import annotations

from cds_service.domain.codes import ICD10, CodeTables
from cds_service.domain.common_diagnoses import COMMON_DIAGNOSES
from cds_service.domain.label import CODE_SHAPES


def test_every_code_begins_codes_of_the_list_behind_the_tables(tables: CodeTables) -> None:
    bare = [one.code.replace(".", "") for one in COMMON_DIAGNOSES]
    unknown = [
        code
        for code in bare
        if not any(listed.startswith(code) or code.startswith(listed) for listed in tables.chronic)
    ]
    assert unknown == []


def test_every_diagnosis_has_a_code_of_its_own_and_two_names() -> None:
    assert len({one.code for one in COMMON_DIAGNOSES}) == len(COMMON_DIAGNOSES)
    assert all(CODE_SHAPES[ICD10].fullmatch(one.code) and one.english and one.spanish for one in COMMON_DIAGNOSES)
