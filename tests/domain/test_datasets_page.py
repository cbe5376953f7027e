"""The page of datasets names every column, rule, policy and reason; the rules in the repository allow what exists."""

import re
from pathlib import Path

from cds_service.domain.consensus import DISPUTED, TIED
from cds_service.domain.dataset import CLASSES, COLUMNS, POLICIES, TASKS
from cds_service.domain.features import FEATURES
from cds_service.settings.dataset import dataset_rules

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "datasets.md").read_text(encoding="utf-8")


def listed(heading: str) -> list[str]:
    table = re.split(rf"^\| {heading} \|.*$", PAGE, flags=re.MULTILINE)[1].split("\n\n")[0]
    firsts = re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE)
    return [name for first in firsts for name in re.findall(r"`([\w-]+)`", first)]


def test_every_column_is_on_the_page_with_its_type() -> None:
    own = [name for name in COLUMNS if name not in FEATURES]

    assert [name for name in listed("column") if name not in FEATURES] == own
    assert {FEATURES[0], FEATURES[-1]} < set(listed("column"))
    assert [name for name in own if f"| `{name}` | {COLUMNS[name]} |" not in PAGE] == []


def test_every_task_policy_and_reason_is_on_the_page() -> None:
    assert listed("task") == list(TASKS)
    assert listed("policy") == list(POLICIES)
    assert {TIED, DISPUTED, "immature", "duplicate", "unlabelled"} < set(listed("reason"))
    assert [name for names in CLASSES.values() for name in names if f"`{name}`" not in PAGE] == []


def test_our_own_rules_allow_every_column_and_wait_for_every_class() -> None:
    rules = dataset_rules(None)

    assert rules.columns == set(COLUMNS)
    assert set(rules.maturity_days) == {name for names in CLASSES.values() for name in names}
    assert listed("key") == ["holdout_share", "weight_cap", "maturity_days", "columns"]
