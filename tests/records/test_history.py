"""A hospital's own file: every row is read as its map declares, or dropped with the reason."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cds_service.errors import BadRequest, ConfigurationError
from cds_service.records.history import Dropped, HistoryRow, read_history
from cds_service.records.history_file import count_rows
from cds_service.records.history_map import RULES, HistoryMap
from cds_service.settings.history import history_map

HISTORY = Path(__file__).parents[2] / "fixtures" / "history"
NOW = datetime(2026, 3, 14, 8, 40, tzinfo=UTC)
COLUMNS = {"patient_id": "id", "observed_at": "when", "heart_rate": "hr", "category": "state"}


def a_map(**changes: Any) -> HistoryMap:
    """A map of four columns; `rules` names only those that differ."""
    rules = {name: choices[0] for name, choices in RULES.items()} | changes.pop("rules", {})
    columns = COLUMNS | changes.pop("columns", {})
    return HistoryMap(**{"columns": columns, "rules": rules, **changes})


def read(path: Path, declared: HistoryMap) -> list[HistoryRow | Dropped]:
    _, chosen = count_rows(path, declared)
    return list(read_history(path, declared, chosen, now=NOW))


def rows_of(tmp_path: Path, *lines: str, encoding: str = "utf-8", **changes: Any) -> list[Any]:
    path = tmp_path / "visits.csv"
    path.write_bytes("\n".join(lines).encode(encoding))
    return read(path, a_map(**changes))


def one(tmp_path: Path, cells: str, header: str = "id,when,hr,state", **changes: Any) -> Any:
    found = rows_of(tmp_path, header, cells, **changes)
    assert len(found) == 1
    return found[0]


def test_the_script_makes_the_fixture_that_is_here(tmp_path: Path) -> None:
    copy = tmp_path / "make_history.py"
    copy.write_bytes((HISTORY / "make_history.py").read_bytes())

    subprocess.run([sys.executable, str(copy)], check=True, timeout=60)

    assert (tmp_path / "visits.csv").read_bytes() == (HISTORY / "visits.csv").read_bytes()


def test_the_fixture_holds_all_five_categories_and_every_kind_of_mess() -> None:
    found = read(HISTORY / "visits.csv", history_map(HISTORY / "map.toml"))

    taken = [row for row in found if isinstance(row, HistoryRow)]
    assert Counter(row.category for row in taken)["terminal"] == 15
    assert {row.category for row in taken} == {"not-ill", "mild", "acute", "chronic", "terminal"}
    assert {row.reason for row in found if isinstance(row, Dropped)} == {
        "duplicate", "future", "invalid-characters", "neither-yes-nor-no", "no-label", "no-patient-or-time",
        "not-a-code", "not-a-number", "not-a-time", "unknown-category", "unknown-sex", "wrong-number-of-fields",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("word", "category"),
    [
        ("no enfermo", "not-ill"), ("Not-Ill", "not-ill"), ("leve", "mild"), ("Mild", "mild"), ("AGUDA", "acute"),
        ("acute", "acute"), ("crónico", "chronic"), ("CRONICA", "chronic"), ("chronic", "chronic"),
        ("Terminal", "terminal"),
    ],
)  # fmt: skip
def test_a_category_is_read_in_english_and_spanish(tmp_path: Path, word: str, category: str) -> None:
    assert one(tmp_path, f"1,2025-01-02,80,{word}").category == category


def test_a_site_declares_words_of_its_own(tmp_path: Path) -> None:
    values = {"category": {"Triage V": "not-ill"}, "sex": {"M": "female"}}

    row = one(tmp_path, "1,2025-01-02,80,triage v,m", "id,when,hr,state,sex", columns={"sex": "sex"}, values=values)

    assert (row.category, row.record["sex"]) == ("not-ill", "female")


def test_decimals_units_dates_and_zone_are_those_declared(tmp_path: Path) -> None:
    row = one(
        tmp_path,
        "1;02/01/2025 08:30;101,3;leve",
        "id;when;temp;state",
        columns={"temperature": "temp", "heart_rate": "temp"} | {"heart_rate": "temp"},
        delimiter=";",
        decimal=",",
        dates=("%d/%m/%Y %H:%M",),
        zone=ZoneInfo("Europe/Madrid"),
        units={"temperature": "[degF]"},
    )

    assert row.at == datetime(2025, 1, 2, 7, 30, tzinfo=UTC)
    assert (row.record["temperature"], row.record["temperature_unit"]) == ("101.3", "[degF]")


def test_a_birth_date_is_an_age_at_the_visit(tmp_path: Path) -> None:
    row = one(tmp_path, "1,2025-01-02,80,mild,1954-11-02", "id,when,hr,state,born", columns={"birth_date": "born"})

    assert float(row.record["age"]) == pytest.approx(70.17, abs=0.01)


@pytest.mark.parametrize(
    ("cells", "reason", "where"),
    [
        ("1,2025-01-02,80,critical", "unknown-category", "category"),
        ("1,2025-01-02,80,", "no-label", "category"),
        ("1,yesterday,80,mild", "not-a-time", "observed_at"),
        ("1,2027-01-02,80,mild", "future", "observed_at"),
        ("1,1901-01-02,80,mild", "impossible", "observed_at"),
        ("1,2025-01-02,fast,mild", "not-a-number", "heart_rate"),
        ('1,2025-01-02,"80,5",mild', "not-a-number", "heart_rate"),
        (",2025-01-02,80,mild", "no-patient-or-time", "patient_id"),
        ("1,2025-01-02,80", "wrong-number-of-fields", ""),
        ("1,2025-01-02,80,mild,x", "wrong-number-of-fields", ""),
        ("1\x07,2025-01-02,80,mild", "invalid-characters", "patient_id"),
    ],
)
def test_a_row_that_cannot_be_used_is_dropped_with_its_reason(
    tmp_path: Path, cells: str, reason: str, where: str
) -> None:
    assert one(tmp_path, cells) == Dropped(2, reason, where)


def test_rules_say_what_is_done_instead(tmp_path: Path) -> None:
    header, columns = "id,when,hr,state,age", {"age": "age"}

    missing = one(tmp_path, "1,2025-01-02,fast,mild,50", header, columns=columns, rules={"unreadable": "missing"})
    stripped = one(
        tmp_path, "1,2025-01-02,8\x070,mild,50", header, columns=columns, rules={"invalid_characters": "strip"}
    )
    old = one(tmp_path, "1,2025-01-02,80,mild,999", header, columns=columns)
    dropped = one(tmp_path, "1,2025-01-02,80,mild,999", header, columns=columns, rules={"impossible": "drop"})

    assert "heart_rate" not in missing.record
    assert stripped.record["heart_rate"] == "80"
    assert "age" not in old.record
    assert dropped == Dropped(2, "impossible", "age")


@pytest.mark.parametrize(("rule", "line"), [("first", 2), ("last", 4)])
def test_of_one_visit_one_row_is_read(tmp_path: Path, rule: str, line: int) -> None:
    found = rows_of(
        tmp_path,
        "id,when,hr,state",
        "1,2025-01-02,80,mild",
        "2,2025-01-02,80,mild",
        "1,2025-01-02,90,mild",
        rules={"duplicates": rule},
    )

    assert [(one.line, isinstance(one, HistoryRow)) for one in found] == [
        (number, number in (3, line)) for number in (2, 3, 4)
    ]


def test_bytes_that_are_not_of_the_declared_encoding_drop_their_row_alone(tmp_path: Path) -> None:
    found = rows_of(tmp_path, "id,when,hr,state", "1,2025-01-02,80,crónico", "2,2025-01-02,80,mild", encoding="latin-1")

    assert found[0] == Dropped(2, "invalid-characters", "category")
    assert isinstance(found[1], HistoryRow)


def test_a_mark_at_the_beginning_and_quoted_lines_are_read(tmp_path: Path) -> None:
    lines = ("id,when,hr,state,note", '1,2025-01-02,80,mild,"two\nlines, ""quoted"""', "", "2,2025-01-02,80,acute,")

    found = rows_of(tmp_path, *lines, encoding="utf-8-sig")

    assert [row.category for row in found] == ["mild", "acute"]


def test_a_header_without_a_declared_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"columns\.heart_rate: column 'hr' is not in the header"):
        rows_of(tmp_path, "id,when,state", "1,2025-01-02,mild")
    with pytest.raises(BadRequest, match="twice"):
        rows_of(tmp_path, "id,when,hr,hr,state", "1,2025-01-02,1,2,mild")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("colour = 1", "colour: unknown"),
        ('[columns]\npatient_id = "a"', "columns.observed_at: missing"),
        ('[columns]\npatient_id = "a"\nobserved_at = "b"', "columns: name at least one of category"),
        ('[columns]\nshoe_size = "a"', "columns.shoe_size: unknown"),
        ('[units]\ntemperature = "furlong"', "units.temperature: must be one of"),
        ('encoding = "klingon"', "encoding: must be an encoding"),
        ('duplicates = "both"', "duplicates: must be one of last, first"),
        ('delimiter = ";;"', "delimiter: must be one character"),
        ('zone = "Mars"', "zone: must be a zone"),
    ],
)
def test_a_map_that_will_not_do_is_refused_naming_the_key(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "map.toml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=problem):
        history_map(path)


def test_no_row_shows_a_patient_in_its_text(tmp_path: Path) -> None:
    assert "1288992" not in repr(one(tmp_path, "1288992,2025-01-02,80,mild"))
