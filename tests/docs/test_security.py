"""SECURITY.md answers every threat, and every test it names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_every_number_is_answered_once() -> None:
    numbers: list[int] = []
    for first, last in re.findall(r"^\| (\d+)(?:–(\d+))? \|", TEXT, re.MULTILINE):
        numbers += range(int(first), int(last or first) + 1)

    assert numbers == list(range(1, 91))


def test_every_test_named_exists() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))

    missing = [name for name in re.findall(r"`(test_\w+)`", TEXT) if f"def {name}(" not in source]

    assert not missing


def test_every_file_named_exists() -> None:
    assert all((ROOT / name).exists() for name in re.findall(r"`(tests/[\w/.]+)`", TEXT))
