"""Loads the compiled code tables of `models/codes/<version>/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cds_service.domain.codes import CodeTables
from cds_service.domain.complaints import COMPLAINT_RANK
from cds_service.errors import ConfigurationError
from cds_service.inference.artifact import open_artifact

TABLES_FILE = "tables.json"


def load_code_tables(models_dir: Path, version: str | None = None) -> CodeTables:
    """The code tables of a published version, `CURRENT` by default, once their hashes are verified."""
    artifact = open_artifact(models_dir, "codes", version)
    try:
        content = artifact.json(TABLES_FILE)
        tables = CodeTables(
            version=artifact.manifest["version"],
            chronic=_chronic(content["chronic"]),
            categories=_prefixes(content["categories"]),
            snomed_to_icd10=content["snomed_to_icd10"],
            complaints={system: _prefixes(groups) for system, groups in content["complaints"].items()},
            complaint_words=_prefixes(content["complaint_words"]),
        )
    except (KeyError, TypeError, AttributeError) as problem:
        raise ConfigurationError(f"lacks a table: {problem}", where=str(artifact.directory)) from problem
    _require_known_groups(tables, artifact.directory)
    return tables


def _chronic(content: Mapping[str, str]) -> dict[str, bool]:
    """Prefix to chronic or not, from two blank-separated lists."""
    return dict.fromkeys(content["no"].split(), False) | dict.fromkeys(content["yes"].split(), True)


def _prefixes(groups: Mapping[str, Any]) -> dict[str, str]:
    """Code or phrase to its group, from each group's list."""
    return {code: group for group, codes in groups.items() for code in codes}


def _require_known_groups(tables: CodeTables, directory: Path) -> None:
    named = {group for groups in tables.complaints.values() for group in groups.values()}
    unknown = (named | set(tables.complaint_words.values())) - COMPLAINT_RANK.keys()
    if unknown:
        raise ConfigurationError(f"names unknown complaint groups {sorted(unknown)}", where=str(directory))
