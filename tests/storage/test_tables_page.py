from __future__ import annotations

import re
from pathlib import Path

from cds_service.storage.tables import metadata

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "tables.md"


def test_the_page_lists_every_table_and_column_in_order() -> None:
    found: dict[str, list[str]] = {}
    for section in PAGE.read_text().split("\n## ")[1:]:
        columns = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
        if columns:
            found[section.split("\n")[0]] = columns

    assert found == {name: list(table.columns.keys()) for name, table in metadata.tables.items()}
