"""A delimited file as rows of named cells, and which row of each visit is to be read."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from io import TextIOBase
from pathlib import Path

from cds_service.errors import BadRequest
from cds_service.records.history_map import HistoryMap


def count_rows(path: Path, declared: HistoryMap) -> tuple[int, dict[tuple[str, str], int]]:
    """How many rows the file holds, and which line of each visit is to be read, by the rule for duplicates."""
    lines: dict[tuple[str, str], int] = {}
    total = 0
    for line, cells in cells_of(path, declared):
        total += 1
        if cells is not None and (key := visit_of(cells)) is not None:
            if declared.rules["duplicates"] == "last":
                lines[key] = line
            else:
                lines.setdefault(key, line)
    return total, lines


def cells_of(path: Path, declared: HistoryMap) -> Iterator[tuple[int, dict[str, str] | None]]:
    """The mapped cells of each row by field, without blanks around them; None where the row has too few or many."""
    with _opened(path, declared) as file:
        rows = csv.reader(file, delimiter=declared.delimiter)
        places, width = _places(next(rows, []), declared)
        try:
            for cells in rows:
                if not any(cell.strip() for cell in cells):
                    continue
                found = {name: cells[at].strip() for name, at in places.items()} if len(cells) == width else None
                yield rows.line_num, found
        except (csv.Error, UnicodeDecodeError):
            problem = f"cannot be read as delimited text in {declared.encoding}"
            raise BadRequest(problem, where=f"line {rows.line_num + 1}") from None


def _opened(path: Path, declared: HistoryMap) -> TextIOBase:
    try:
        return path.open(encoding=declared.encoding, errors="surrogateescape", newline="")
    except OSError as problem:
        raise BadRequest(f"cannot be read: {problem.strerror}", where=str(path)) from None


def _places(header: list[str], declared: HistoryMap) -> tuple[dict[str, int], int]:
    """The place of each mapped column; BadRequest where the header lacks one or has it twice."""
    names = [name.strip() for name in header]
    for name, column in declared.columns.items():
        if names.count(column) != 1:
            problem = "is in the header twice" if column in names else "is not in the header"
            raise BadRequest(f"column {column!r} {problem}", where=f"columns.{name}")
    return {name: names.index(column) for name, column in declared.columns.items()}, len(names)


def visit_of(cells: Mapping[str, str]) -> tuple[str, str] | None:
    """What names the visit: patient and visit number, or patient and time where visits have none."""
    patient, visit = cells.get("patient_id", ""), cells.get("visit_id") or cells["observed_at"]
    return (patient, visit) if patient and visit else None
