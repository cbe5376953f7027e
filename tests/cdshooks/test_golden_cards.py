"""Cards compared whole with reviewed files.

After a wanted change of wording: `python -m tests.cdshooks.write_golden`, then read the difference.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from cds_service.cdshooks.cards import cards_from_prediction
from tests.cdshooks.cases import CASES, NOTES

GOLDEN = Path(__file__).parent / "golden"
NAMES = [(case, language) for case in CASES for language in ("en", "es")]


@pytest.mark.parametrize(("case", "language"), NAMES, ids=[f"{case}-{language}" for case, language in NAMES])
def test_card_reads_as_reviewed(case: str, language: str) -> None:
    expected = json.loads((GOLDEN / f"{case}.{language}.json").read_text(encoding="utf-8"))

    cards = cards_from_prediction(
        CASES[case], language=language, public_url="https://cds.example.org", notes=NOTES.get(case, ())
    )

    assert json.loads(msgspec.json.encode({"cards": cards})) == expected


def test_every_golden_file_has_its_case() -> None:
    assert {path.name for path in GOLDEN.glob("*.json")} == {f"{case}.{language}.json" for case, language in NAMES}
