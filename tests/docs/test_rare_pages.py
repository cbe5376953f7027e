"""What the pages say of how often a list is right is what the published evaluation says."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASE = ROOT / "models" / "rare" / (ROOT / "models" / "rare" / "CURRENT").read_text().strip()
PAGE = (ROOT / "docs" / "explanation" / "rare-diseases.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("findings", ["1-2", "3-5", "6-10", "11 or more"])
def test_the_page_for_clinicians_says_how_often_a_list_is_right(findings: str) -> None:
    found = json.loads((BASE / "evaluation.json").read_text())["by_findings"][findings]

    shares = " | ".join(f"{100 * found[name]['value']:.0f} %" for name in ("top1", "top3", "top10"))
    assert f"| {findings} | {found['cases']} | {shares} |" in PAGE


@pytest.mark.parametrize("name", ["manifest.json", "card.md"])
def test_licence_and_attribution_go_with_the_knowledge_base(name: str) -> None:
    text = (BASE / name).read_text(encoding="utf-8")

    for said in ("hpo.jax.org", "CC BY 4.0", "OMIM is a trademark", "2025-01-16"):
        assert said in text


def test_licence_and_attribution_are_on_the_first_page() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert re.search(r"Human Phenotype Ontology.*hpo\.jax\.org.*Orphanet.*CC BY 4\.0.*OMIM", text)
