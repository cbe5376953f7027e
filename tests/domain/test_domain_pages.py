"""The reference pages of vital signs, NEWS2 and states say what the tables say."""

from __future__ import annotations

import re
from pathlib import Path

from cds_service.domain.early_warning import PARAMETERS
from cds_service.domain.state import STATES, STATES_VERSION
from cds_service.domain.vital_codes import CODE_ONLY, CODED_VALUES, CODES, LOINC, MDC, SNOMED, VITAL_CODES
from cds_service.domain.vitals import ALARMING, VITAL_SIGNS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
WORDS = {True: "yes", False: "no"}


def tables(page: str) -> list[list[list[str]]]:
    """The rows of each table of a page, without its two heading lines."""
    found = re.findall(r"(?:^\|.*\n)+", (REFERENCE / page).read_text(encoding="utf-8"), re.MULTILINE)
    return [[[cell.strip() for cell in row.strip("|\n").split("|")] for row in t.splitlines()[2:]] for t in found]


def test_ranges_and_sources():
    listed = {row[0].strip("`"): row[1:] for row in tables("vital-signs.md")[0]}

    assert set(listed) == VITAL_SIGNS.keys()
    for name, sign in VITAL_SIGNS.items():
        low = sign.low if sign.usable_low is None else sign.usable_low
        assert listed[name][0] == f"`{sign.unit}`"
        assert sign.kind != "quantity" or listed[name][1] == f"{low:g} to {sign.high:g}"
        assert listed[name][2:] == [WORDS[name in ALARMING], sign.source]


def test_units():
    listed = {row[0].strip("`"): set(re.findall(r"`([^`]+)`", " ".join(row))) for row in tables("vital-signs.md")[1]}

    quantities = [sign for sign in VITAL_SIGNS.values() if sign.kind == "quantity"]
    assert [sign.name for sign in quantities if listed[sign.unit] != set(sign.units)] == []
    assert set(listed) == {sign.unit for sign in quantities}


def test_codes_and_how_far_they_are_verified():
    listed = {
        (system, code.rstrip("?"), row[0].strip("`"), "form" if code.endswith("?") else "seen")
        for row in tables("vital-signs.md")[2]
        for system, cell in zip((LOINC, SNOMED, MDC), row[1:], strict=True)
        for code in cell.split()
        if code != "–"
    }

    assert listed == {(row.system, row.code, row.name, row.verified) for row in CODES}


def test_coded_values():
    listed = {
        (system, code.rstrip("?")): row[0]
        for row in tables("vital-signs.md")[3]
        for system, cell in zip((LOINC, SNOMED), row[1:], strict=True)
        for code in cell.split()
        if code != "–"
    }

    known = {**CODED_VALUES, **CODE_ONLY}
    assert listed == {key: f"`{name}` {WORDS.get(value, value)}" for key, (name, value) in known.items()}


def test_codes_that_are_no_vital_sign_are_read_as_none():
    names = {"LOINC": LOINC, "SNOMED CT": SNOMED, "MDC": MDC}
    listed = {(names[system], code) for system, codes in tables("vital-signs.md")[4] for code in codes.split()}

    assert len(listed) == 17
    assert listed.isdisjoint(VITAL_CODES)


def test_every_parameter_of_news2_has_a_row():
    assert {row[0].split(",")[0].strip("`") for row in tables("early-warning.md")[0]} == set(PARAMETERS)


def test_every_state_has_a_row_and_the_version_is_said():
    by_score, by_record, *_ = tables("states.md")
    rows = [*by_score, *by_record]

    assert {row[0].strip("`") for row in rows} == set(STATES)
    assert f"version {STATES_VERSION}\n" in (REFERENCE / "states.md").read_text(encoding="utf-8")
