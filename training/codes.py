"""Compiles the code tables: chronic conditions, checklist categories, complaint groups, into one small artifact."""

from __future__ import annotations

import gzip
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

from cds_service.domain.codes import ICD10CM, SNOMED, normalised
from cds_service.errors import ConfigurationError
from cds_service.inference.codes import TABLES_FILE
from training.dataset import TABLES
from training.prefixes import shortest_prefixes

CHRONIC_FILE = "icd10cm_chronic_2019.csv.gz"

SOURCES = {
    "chronic": "AHRQ HCUP Chronic Condition Indicator for ICD-10-CM, v2019.1 (US government work), lossless prefixes",
    "categories": "training/tables/chronic_conditions.toml",
    "complaints": "training/tables/complaints.toml",
    "snomed_to_icd10": "training/tables/snomed.toml",
}


def compile_code_tables(data_dir: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Files of a `codes` artifact and what its manifest says of their sources."""
    path = data_dir / CHRONIC_FILE
    try:
        packed = path.read_bytes()
    except OSError as problem:
        raise ConfigurationError("cannot be read", where=str(path)) from problem
    complaints = read_table("complaints")
    content = {
        "chronic": _chronic(packed),
        "categories": read_table("chronic_conditions"),
        "snomed_to_icd10": read_table("snomed"),
        "complaints": {
            ICD10CM: {group: entry["icd10cm"] for group, entry in complaints.items()},
            SNOMED: {group: entry["snomed"] for group, entry in complaints.items()},
        },
        "complaint_words": {group: _phrases(entry) for group, entry in complaints.items()},
    }
    described = {"sources": SOURCES, "data": {CHRONIC_FILE: hashlib.sha256(packed).hexdigest()}}
    return {TABLES_FILE: json.dumps(content, indent=0, sort_keys=True).encode()}, described


def read_table(name: str) -> dict[str, Any]:
    """One of the repository's own tables."""
    return tomllib.loads((TABLES / f"{name}.toml").read_text(encoding="utf-8"))


def _chronic(packed: bytes) -> dict[str, str]:
    """Prefixes of codes that are chronic and of codes that are not, each list separated by blanks."""
    lines = gzip.decompress(packed).decode("ascii").split()[1:]
    rules = shortest_prefixes({code: flag == "1" for code, flag in (line.split(",") for line in lines)})
    return {
        "no": " ".join(sorted(code for code in rules if not rules[code])),
        "yes": " ".join(sorted(code for code in rules if rules[code])),
    }


def _phrases(entry: dict[str, Any]) -> list[str]:
    """Normalised phrases of both languages, each once."""
    return sorted({" ".join(normalised(phrase)) for phrase in (*entry["en"], *entry["es"])})
