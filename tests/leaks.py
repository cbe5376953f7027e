"""What must be in no log, whichever test wrote it: tokens, secrets, patients of the fixtures, their vital values.

After the last test every log and every output of a service below pytest's directory is searched. A leak fails the run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FIXTURES = Path(__file__).parents[1] / "fixtures"
LOGS = ("*.jsonl", "*.log", "output*.txt")

_SECRETS = {
    "a signed token": r"eyJ[\w-]{8,}\.[\w-]{4,}\.",
    "a token of ours": r"cds_[a-z0-9]{12}_[\w-]{20,}",
    "an Authorization header": r"(?:Bearer|Basic) [\w+/=.-]{12,}",
    "an access token": r"access_token",
    "a password": r"(?:correct|another|wrong) horse battery staple",
    "a key": r"9f86d081884c7d659a2feaa0c55ad015|BEGIN [A-Z ]*PRIVATE KEY",
}
# Members that hold text of ours; numbers in the others are times, counts, ids and addresses.
_TEXTS = re.compile(r'"(?:reason|where|not_used|faults|exception|status)":("[^"]*"|\[[^\]]*\])')


def members(document: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every plain value of a JSON document with the names that lead to it."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield from members(value, (*path, name))
    elif isinstance(document, list):
        for value in document:
            yield from members(value, path)
    else:
        yield path, document


def _of_fixtures(*ends: tuple[str, ...]) -> set[str]:
    """The values whose names end like this in any fixture."""
    found = set()
    for file in [*FIXTURES.glob("hooks/*.json"), *FIXTURES.glob("twins/**/*.json")]:
        document = json.loads(file.read_text(encoding="utf-8"))
        found |= {str(value) for path, value in members(document) if any(path[-len(end) :] == end for end in ends)}
    return found


def _any_of(texts: set[str]) -> str:
    return "|".join(re.escape(text) for text in sorted(texts))


NAMES = {name for name in _of_fixtures(("family",)) if len(name) > 4} - {"Example", "Sample"}
BORN = {born for born in _of_fixtures(("birthDate",)) if len(born) > 7}
NUMBERS = _of_fixtures(("identifier", "value")) | {"1288992"}
# Of two digits a value is like any count; of three, or with a fraction, it is told apart.
VALUES = {value for value in _of_fixtures(("valueQuantity", "value")) if len(value) > 2}

_PATTERNS = {
    **_SECRETS,
    "a name": rf"\b(?:{_any_of(NAMES)})\b|Tom\\u00e1s",
    "a birth date": rf"(?<!\d)(?:{_any_of(BORN)})(?![\dT])",
    "an identifier": rf"(?<![\w-])(?:{_any_of(NUMBERS)})(?![\w-])",
}
_LEAK = re.compile("|".join(f"({pattern})" for pattern in _PATTERNS.values()))
_VALUE = re.compile(rf"(?<![\w.:-])(?:{_any_of(VALUES)})(?![\w.:-])")


def leaks_in(text: str) -> list[str]:
    """What kinds of things that must not be there are in the text of a log."""
    found = {list(_PATTERNS)[(match.lastindex or 1) - 1] for match in _LEAK.finditer(text)}
    if any(_VALUE.search(member) for member in _TEXTS.findall(text)):
        found.add("a vital value")
    return sorted(found)


def scan(directory: Path) -> list[str]:
    """Every log below the directory in which something leaked, and what."""
    files = sorted({file for pattern in LOGS for file in directory.rglob(pattern) if file.is_file()})
    leaking = {file: leaks_in(file.read_text(encoding="utf-8", errors="replace")) for file in files}
    return [f"{file}: {', '.join(kinds)}" for file, kinds in leaking.items() if kinds]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Search what all workers left, once they are done."""
    if hasattr(session.config, "workerinput"):
        return
    found = scan(session.config._tmp_path_factory.getbasetemp())  # type: ignore[attr-defined]
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print("\nLEAKED INTO A LOG", *found, sep="\n", flush=True)
