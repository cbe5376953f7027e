"""The README shows what the code and the artifact give today."""

from bench.readme import ROOT, readme


def test_the_card_and_the_model_table_are_what_the_code_gives() -> None:
    assert (ROOT / "README.md").read_text(encoding="utf-8") == readme(), "run python -m bench.readme"
