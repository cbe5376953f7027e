from __future__ import annotations

import re
from pathlib import Path

from cds_service.access import ACCESS
from cds_service.domain.label import Kind
from cds_service.storage.decisions import AUDITED
from cds_service.storage.tables import metadata

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "tables.md"


def test_the_page_lists_every_table_and_column_in_order() -> None:
    found: dict[str, list[str]] = {}
    for section in PAGE.read_text().split("\n## ")[1:]:
        section = section.partition("\n### ")[0]
        columns = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
        if columns:
            found[section.split("\n")[0]] = columns

    assert found == {name: list(table.columns.keys()) for name, table in metadata.tables.items()}


def test_the_page_lists_every_action_of_the_audit_log() -> None:
    section = PAGE.read_text().partition("### Actions\n")[2].partition("\n## ")[0]
    listed = {
        action
        for cell in re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
        for action in re.findall(r"[\w-]+", cell)
    }

    recorded = {row.records for row in ACCESS.values()} | {kind.value for kind in Kind} | set(AUDITED.values())
    source = "\n".join(path.read_text(encoding="utf-8") for path in (PAGE.parents[2] / "cds_service").rglob("*.py"))
    assert recorded - {""} <= listed
    assert {action for action in listed if f'"{action}"' not in source} == set()
