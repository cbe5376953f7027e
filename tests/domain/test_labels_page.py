"""The page of labels names every source, status and rule."""

import re
from pathlib import Path

from cds_service.domain.label import CATEGORIES, Source, Status
from cds_service.domain.quarantine import RULES

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "labels.md").read_text(encoding="utf-8")


def listed(heading: str) -> list[str]:
    table = re.split(rf"^\| {heading} \|.*$", PAGE, flags=re.MULTILINE)[1].split("\n\n")[0]
    return re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)


def test_every_source_status_and_rule_has_its_row() -> None:
    assert listed("source") == list(Source)
    assert listed("status") == list(Status)
    assert listed("reason") == [reason for reason, _ in RULES]
    assert all(f"`{category}`" in PAGE for category in CATEGORIES)
