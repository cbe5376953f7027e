from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from cds_service.domain.label import Kind
from cds_service.storage.decisions import AUDITED
from cds_service.storage.tables import metadata
from cds_service.web.access import ACCESS

_MAKERS = ("AuditEvent", "event", "_event", "prediction_event")

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
    assert listed == (recorded | set(_written())) - {""}


def _written() -> Iterator[str]:
    """The action of every event the code makes, where it is written down: by keyword, or the first text of the call."""
    for path in (PAGE.parents[2] / "cds_service").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", getattr(call.func, "id", "")) in _MAKERS:
                named = [one.value for one in call.keywords if one.arg == "action"]
                texts = [one.value for one in (named or call.args[:2]) if isinstance(one, ast.Constant)]
                yield from (text for text in texts[:1] if isinstance(text, str))
