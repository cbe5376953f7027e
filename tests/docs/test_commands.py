"""The page of commands lists every command with its arguments, and the audit log's word where it changes anything."""

from pathlib import Path

from cds_service.access import ACCESS
from cds_service.cli import MODULES, commands

ROOT = Path(__file__).parents[2]


def _rows() -> dict[str, tuple[list[str], str]]:
    text = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    rows = [[cell.strip("` ") for cell in line.split("|")] for line in text.splitlines() if line[:3] == "| `"]
    return {
        words: ([one.strip("` ") for one in named.split(",") if one], action) for _, words, named, _, action, _ in rows
    }


def test_every_command_is_on_the_page_with_its_arguments() -> None:
    known = {" ".join(one.words): [names[0] for names, _ in one.arguments] for one in commands()}

    assert {words: arguments for words, (arguments, _) in _rows().items()} == known


def test_every_command_is_found_by_its_first_word() -> None:
    assert {one.words[0] for one in commands()} == set(MODULES)
    for word in MODULES:
        assert word in {one.words[0] for one in commands(word)}


def test_the_page_says_what_the_access_table_says() -> None:
    rows = _rows()

    assert {f"cds {words}": action for words, (_, action) in rows.items()} == {
        name: row.records for name, row in ACCESS.items() if name.startswith("cds ")
    }
