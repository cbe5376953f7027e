"""The tables of vital signs: codes that hold, units that are right, ranges with their source."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ucumvert import PintUcumRegistry
from ucumvert.parser import InvalidUcumError

from cds_service.domain.codes import _PALLIATIVE_SNOMED
from cds_service.domain.patient import NotUsed
from cds_service.domain.statements import Refusal, quantity
from cds_service.domain.units import is_alarming, is_plausible, is_share
from cds_service.domain.vital_codes import CODE_ONLY, CODED_VALUES, CODES, LOINC, SNOMED, VITAL_CODES
from cds_service.domain.vitals import ALARMING, VITAL_SIGNS

SERVICE = Path(__file__).parents[2] / "cds_service"
EVERY_CODE = sorted({(row.system, row.code) for row in CODES} | CODED_VALUES.keys() | CODE_ONLY.keys())

# Circulate in public code and are wrong: failing check digits, glucose as oxygen, an inverted name.
WRONG = ["3150-6", "88365-2", "80327-7", "422107005", "149522", "57834-3", "57834-7", "450849003", "LA6560-2"]

_D = [
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
]
_P = ["0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258"]


def is_verhoeff(code: str) -> bool:
    """Whether a SNOMED CT identifier's last digit is its Verhoeff check digit."""
    check = 0
    for position, digit in enumerate(reversed(code)):
        check = int(_D[check][int(_P[position % 8][int(digit)])])
    return check == 0


def is_mod_10(code: str) -> bool:
    """Whether the digit after the hyphen is the LOINC check digit; the letters of an answer count as ASCII less 48."""
    body, check = code.split("-")
    values = [ord(character) - 48 for character in reversed(body)]
    doubled = [2 * value - 9 * (value // 5) for value in values[::2]]
    return (sum(doubled) + sum(values[1::2]) + int(check)) % 10 == 0


@pytest.mark.parametrize("code", [code for system, code in EVERY_CODE if system == LOINC])
def test_every_loinc_code_has_its_check_digit(code):
    assert is_mod_10(code)


@pytest.mark.parametrize("code", [code for system, code in EVERY_CODE if system == SNOMED])
def test_every_snomed_code_has_its_check_digit(code):
    assert is_verhoeff(code)


def test_every_code_written_anywhere_in_the_service_has_its_check_digit():
    source = "".join(path.read_text(encoding="utf-8") for path in SERVICE.rglob("*.py"))
    loinc = set(re.findall(r'"([0-9]{3,5}-[0-9])"', source))
    snomed = set(re.findall(r'SNOMED, "([0-9]+)"', source)) | set(_PALLIATIVE_SNOMED)

    assert loinc >= {"8867-4", "3151-8"}
    assert [code for code in loinc if not is_mod_10(code)] == []
    assert [code for code in snomed if not is_verhoeff(code)] == []


@pytest.mark.parametrize("code", ["3150-6", "80327-7", "57834-3", "57834-7"])
def test_the_check_digit_of_loinc_is_really_tested(code):
    assert not is_mod_10(code)


def test_the_check_digit_of_snomed_is_really_tested():
    assert not is_verhoeff("422107005")


@pytest.mark.parametrize("code", WRONG)
def test_codes_known_to_be_wrong_are_in_no_table(code):
    assert code not in {known for _, known in EVERY_CODE}


def test_every_code_has_one_meaning_and_says_how_it_was_verified():
    assert len(CODES) == len(VITAL_CODES)
    assert {row.verified for row in CODES} == {"seen", "form"}
    assert {row.name for row in CODES} <= VITAL_SIGNS.keys()
    assert VITAL_CODES.keys() >= CODE_ONLY.keys()


def test_every_vital_sign_states_the_source_of_its_range():
    assert all(sign.source and sign.low <= sign.high for sign in VITAL_SIGNS.values())
    assert all(sign.units[sign.unit] == (1.0, 0.0) for sign in VITAL_SIGNS.values() if sign.kind == "quantity")
    assert VITAL_SIGNS.keys() >= ALARMING


# UCUM spellings among the accepted units; the others are as senders write them. `{score}` alone and `1` have no size.
UCUM = [
    "/min",
    "1/min",
    "{beats}/min",
    "{beat}/min",
    "{breaths}/min",
    "{breath}/min",
    "mm[Hg]",
    "kPa",
    "%",
    "Cel",
    "[degF]",
    "K",
    "kg",
    "g",
    "[oz_av]",
    "[lb_av]",
    "cm",
    "m",
    "mm",
    "[ft_i]",
    "[in_i]",
    "[in_us]",
    "L/min",
    "l/min",
    "kg/m2",
    "d/mo",
    "d",
    "{days}/mo",
]
PROVED = [(name, unit) for name, sign in VITAL_SIGNS.items() for unit in sign.units if unit in UCUM]
# Days of a month are counted, not divided: the name says the month, a sender may leave it out.
PROVED = [(name, unit) for name, unit in PROVED if name != "exercise_days"]


def converted(name: str, value: float, unit: str) -> float:
    factor, offset = VITAL_SIGNS[name].units[unit]
    return value * factor + offset


@pytest.fixture(scope="module")
def ucum():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the registry redefines some of pint's units, and says so
        return PintUcumRegistry()


@pytest.mark.parametrize(("name", "unit"), PROVED, ids=lambda part: part)
@pytest.mark.parametrize("value", [1.0, 101.3])
def test_units_convert_as_ucum_says(ucum, name, unit, value):
    expected = ucum.Quantity(value, ucum.from_ucum(unit)).to(ucum.from_ucum(VITAL_SIGNS[name].unit)).magnitude

    # UCUM rounds the millimetre of mercury to 133.322 Pa; the rest is exact.
    assert converted(name, value, unit) == pytest.approx(expected, rel=3e-6 if unit == "kPa" else 1e-9)


def test_no_ucum_unit_escapes_the_proof(ucum):
    """Whatever else UCUM reads as a unit of the same kind is proved above; MDC numbers would be read as numbers."""
    unproved = []
    for name, sign in VITAL_SIGNS.items():
        for unit in sign.units.keys() - set(UCUM):
            if sign.unit != "{score}" and not unit[0].isdigit() and is_ucum_of_its_kind(ucum, unit, sign.unit):
                unproved.append((name, unit))

    assert unproved == []


def is_ucum_of_its_kind(ucum, unit, canonical):
    try:
        found = ucum.from_ucum(unit)
    except InvalidUcumError:
        return False
    return found.dimensionality == ucum.from_ucum(canonical).dimensionality


@pytest.mark.parametrize(
    ("name", "value", "unit", "expected"),
    [
        ("temperature", 101.3, "[degF]", 38.5),
        ("temperature", 98.6, "°F", 37.0),
        ("temperature", 310.15, "K", 37.0),
        ("temperature", 37.2, "268192", 37.2),
        ("temperature", 98.6, "268160", 37.0),
        ("systolic_bp", 16, "kPa", 120.01),
        ("systolic_bp", 120, "266016", 120),
        ("weight", 150, "lb", 68.04),
        ("weight", 263875, "263875", 263875),
        ("height", 70, "in", 177.8),
        ("heart_rate", 72, "bpm", 72),
        ("heart_rate", 72, "264864", 72),
        ("respiratory_rate", 16, "264928", 16),
        ("spo2", 97, "262688", 97),
    ],
)
def test_units_as_senders_write_them(name, value, unit, expected):
    assert converted(name, value, unit) == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("weight", "C"),  # coulomb
        ("heart_rate", "F"),  # farad
        ("systolic_bp", "K"),
        ("temperature", "%"),
        ("temperature", "degrees"),
        ("spo2", "1"),
        ("height", "furlong"),
        ("heart_rate", ""),
        ("on_oxygen", "1"),
    ],
)
def test_a_unit_of_something_else_is_refused(name, unit):
    given = quantity(VITAL_SIGNS[name], 37.0, unit)

    assert isinstance(given, Refusal)
    assert given.reason is (NotUsed.UNKNOWN_UNIT if unit else NotUsed.MISSING_UNIT)


@given(st.sampled_from(PROVED), st.floats(-1e4, 1e4))
def test_units_round_trip(pair, value):
    name, unit = pair
    factor, offset = VITAL_SIGNS[name].units[unit]

    assert (converted(name, value, unit) - offset) / factor == pytest.approx(value, abs=1e-7)


@pytest.mark.parametrize(
    ("name", "low", "high", "step"),
    [
        ("heart_rate", 10, 350, 1),
        ("respiratory_rate", 1, 120, 1),
        ("temperature", 25, 45, 0.1),
        ("systolic_bp", 30, 320, 1),
        ("diastolic_bp", 10, 220, 1),
        ("spo2", 30, 100, 1),
        ("oxygen_flow", 0, 60, 0.1),
        ("oxygen_concentration", 21, 100, 1),
        ("gcs_total", 3, 15, 1),
        ("pain", 0, 10, 1),
        ("height", 20, 260, 1),
        ("weight", 0.2, 500, 0.1),
    ],
)
def test_plausible_from_lowest_to_highest_inclusive(name, low, high, step):
    assert [is_plausible(name, value) for value in (low - step, low, high, high + step)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("name", "value", "unit", "expected"),
    [
        pytest.param("spo2", 0.94, "1", True, id="94-percent-as-a-share"),
        pytest.param("spo2", 1, "1", True, id="all-of-it"),
        pytest.param("oxygen_concentration", 0.21, "1", True, id="air"),
        pytest.param("spo2", 94, "1", False, id="over-one-is-not-guessed"),
        pytest.param("spo2", -0.1, "1", False, id="negative"),
        pytest.param("spo2", 0.94, "%", False, id="said-to-be-a-percentage"),
        pytest.param("gcs_total", 1, "1", False, id="a-score-is-no-share"),
    ],
)
def test_a_share_of_one_is_told_from_a_percentage(name, value, unit, expected):
    assert is_share(name, value, unit) is expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("heart_rate", 0, True, id="asystole"),
        pytest.param("respiratory_rate", 0, True, id="apnoea"),
        pytest.param("systolic_bp", 29, True, id="pressure-unrecordable"),
        pytest.param("temperature", 24, True, id="deep-hypothermia"),
        pytest.param("spo2", 29, True, id="saturation-unreadable"),
        pytest.param("spo2", 30, False, id="saturation-readable"),
        pytest.param("heart_rate", -100, False, id="device-says-invalid"),
        pytest.param("heart_rate", 8388607, False, id="device-overflow"),
        pytest.param("temperature", 98.6, False, id="fahrenheit-under-celsius"),
        pytest.param("weight", 0, False, id="not-weighed"),
    ],
)
def test_what_may_be_an_emergency_is_alarming(name, value, expected):
    assert is_alarming(name, value) is expected


def test_nothing_that_is_no_number_is_plausible():
    assert not any(is_plausible("heart_rate", value) for value in (float("nan"), float("inf"), -float("inf")))
