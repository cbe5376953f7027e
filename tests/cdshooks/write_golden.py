"""Writes the golden cards anew: `python -m tests.cdshooks.write_golden`. Read the difference before you commit it."""

from __future__ import annotations

import json

import msgspec

from cds_service.cdshooks.cards import cards_from_prediction
from tests.cdshooks.cases import CASES, NOTES
from tests.cdshooks.test_golden_cards import GOLDEN, NAMES


def write() -> None:
    for case, language in NAMES:
        cards = cards_from_prediction(
            CASES[case], language=language, public_url="https://cds.example.org", notes=NOTES.get(case, ())
        )
        text = json.dumps(json.loads(msgspec.json.encode({"cards": cards})), ensure_ascii=False, indent=2)
        (GOLDEN / f"{case}.{language}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    write()
