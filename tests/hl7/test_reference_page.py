"""docs/reference/hl7.md says what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from cds_service.hl7 import conformance, tokens
from cds_service.hl7.ack_segments import CONDITIONS, MAX_FAULTS
from cds_service.hl7.charset import ENCODINGS
from cds_service.hl7.events import EVENTS, VERSIONS
from cds_service.hl7.observations import NOT_MEASURED
from cds_service.hl7.reader import MAX_PATIENTS

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "reference" / "hl7.md").read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, str]:
    """The first two cells of each row of the last table under a heading."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    cells = [
        [cell.strip(" `") for cell in line.strip("|").split(" | ")] for line in section.splitlines() if "|" in line
    ]
    return {row[0]: row[1] for row in cells if len(row) > 1 and not row[0].startswith("-")}


def quoted(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def test_events() -> None:
    listed = {kind: quoted(f"`{events}`") for kind, events in rows("Which messages").items() if kind != "type"}

    assert listed == {kind: set(events) for kind, events in EVENTS.items()}


def test_versions() -> None:
    assert quoted(re.search(r"Versions: ([^E]+)Every", PAGE)[1]) == VERSIONS  # type: ignore[index]


def test_limits() -> None:
    listed = {name: int(number) for name, number in rows("Limits").items() if number.isdigit()}

    assert listed == {
        "bytes": tokens.MAX_BYTES,
        "segments": tokens.MAX_SEGMENTS,
        "fields": tokens.MAX_FIELDS,
        "repetitions": tokens.MAX_REPETITIONS,
        "components": tokens.MAX_COMPONENTS,
        "patients": MAX_PATIENTS,
    }
    assert f"At most {MAX_FAULTS} faults" in PAGE
    assert (conformance.MAX_BYTES, conformance.MAX_SEGMENTS) == (64 * 1024, 300)
    assert (conformance.MAX_SEPARATORS, conformance.MAX_REPETITIONS) == (6_000, 300)


def test_character_sets() -> None:
    named = quoted(re.search(r"The character set is MSH-18:(.+?)\.", PAGE, re.DOTALL)[1])  # type: ignore[index]

    assert named | {f"8859/{part}" for part in range(1, 16) if part != 12} == set(ENCODINGS)


def test_marks_of_devices() -> None:
    (row,) = (line for line in PAGE.splitlines() if line.startswith("| `not-measured`"))

    assert quoted(row) - {"not-measured"} == NOT_MEASURED


def test_conditions_are_known() -> None:
    codes = re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE)

    assert {int(code) for code in codes} <= set(CONDITIONS)


def test_modules() -> None:
    files = {path.stem for path in (REPOSITORY / "cds_service" / "hl7").glob("*.py")} - {"__init__"}

    assert set(rows("Modules")) - {"module"} == files
