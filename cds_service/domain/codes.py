"""Look-up tables from clinical codes to the groups the model and the states use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
SNOMED = "http://snomed.info/sct"


@dataclass(frozen=True, slots=True)
class CodeTables:
    """Compiled tables of `models/codes/<version>/`; every look-up answers None for what it does not know.

    `chronic` maps an ICD-10-CM code without its point to whether it is chronic; `categories` an ICD-10-CM
    prefix to its chronic-condition category; `snomed_to_icd10` a SNOMED CT concept to such a code;
    `complaints` a code prefix by system to a complaint group; `complaint_words` a normalised phrase to one.
    """

    version: str
    chronic: Mapping[str, bool]
    categories: Mapping[str, str]
    snomed_to_icd10: Mapping[str, str]
    complaints: Mapping[str, Mapping[str, str]]
    complaint_words: Mapping[str, str]
