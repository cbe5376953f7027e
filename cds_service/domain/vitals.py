"""The vital signs as a table: canonical unit, accepted units, plausible range and where each comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

Units = Mapping[str, tuple[float, float]]

# A unit's factor and offset: canonical value = value * factor + offset. Exact by definition: the pound 0.45359237 kg
# and the inch 2.54 cm (international yard and pound agreement, 1959), the US survey inch 1/39.37 m (Mendenhall order,
# 1893), degrees Fahrenheit and kelvin (BIPM SI brochure).
# 1 kPa = 7.50062 mm[Hg] by the conventional millimetre of mercury, 133.322387415 Pa (ISO 80000-4).
# Spellings beside UCUM's: as senders write them; MDC numbers: ISO/IEEE 11073-10101 unit codes.
_IDENTITY = (1.0, 0.0)
_KPA = 1000 / 133.322387415
_POUND = 0.45359237
_INCH = 2.54
_SURVEY_INCH = 100 / 39.37


def _same(*spellings: str) -> dict[str, tuple[float, float]]:
    return dict.fromkeys(spellings, _IDENTITY)


_RATE = _same(
    "/min", "1/min", "{beats}/min", "{beat}/min", "{breaths}/min", "{breath}/min", "beats/min", "beat/min",
    "beats/minute", "breaths/min", "breaths/minute", "bpm", "BPM", "rpm", "264864", "264928", "0004-0aa0", "0004-0ae0",
)  # fmt: skip
_PRESSURE = _same("mm[Hg]", "mmHg", "mmhg", "mm Hg", "Torr", "266016", "0004-0f20") | {"kPa": (_KPA, 0.0)}
_PERCENT = _same("%", "percent", "262688", "0004-0220")
_TEMPERATURE = (
    _same("Cel", "C", "°C", "degC", "cel", "268192", "0004-17a0")
    | dict.fromkeys(("[degF]", "degF", "F", "°F", "268160"), (5 / 9, -160 / 9))
    | {"K": (1.0, -273.15)}
)
_WEIGHT = (
    _same("kg", "Kg", "KG", "263875")
    | {"g": (0.001, 0.0), "[oz_av]": (_POUND / 16, 0.0), "oz": (_POUND / 16, 0.0)}
    | dict.fromkeys(("[lb_av]", "lb", "lbs", "LB"), (_POUND, 0.0))
)
_LENGTH = (
    _same("cm", "263441")
    | {"m": (100.0, 0.0), "mm": (0.1, 0.0), "[ft_i]": (12 * _INCH, 0.0), "ft": (12 * _INCH, 0.0)}
    | {"[in_us]": (_SURVEY_INCH, 0.0)}
    | dict.fromkeys(("[in_i]", "in", "inches"), (_INCH, 0.0))
)
_SCORE = _same("{score}", "1", "{Score}", "score")


@dataclass(frozen=True, slots=True)
class VitalSign:
    """One quantity the service reads: `unit` is UCUM; `low` and `high` bound what is plausible, both inclusive.

    `units` maps each accepted unit to factor and offset into `unit`. `kind` is quantity, code, flag or text.
    `usable_low` is where a plausible number stops being a usable one. `source` says where the range comes from.
    """

    name: str
    unit: str
    low: float
    high: float
    source: str
    units: Units = field(default_factory=lambda: MappingProxyType({}))
    kind: str = "quantity"
    usable_low: float | None = None


# Plausible is wider than normal on purpose: outside it the number is a fault of entry or device, or an arrest.
_CHOSEN = "chosen by us: outside what monitors report of living patients, wider than any normal range"
_SCALE = "the instrument's own scale"

_TABLE = (
    VitalSign("heart_rate", "/min", 10, 350, _CHOSEN, _RATE),
    VitalSign("pulse_rate", "/min", 10, 350, _CHOSEN, _RATE),
    VitalSign("respiratory_rate", "/min", 1, 120, _CHOSEN, _RATE),
    VitalSign("temperature", "Cel", 25, 45, _CHOSEN, _TEMPERATURE),
    VitalSign("systolic_bp", "mm[Hg]", 30, 320, _CHOSEN, _PRESSURE),
    VitalSign("diastolic_bp", "mm[Hg]", 10, 220, _CHOSEN, _PRESSURE),
    VitalSign("spo2", "%", 1, 100, _CHOSEN + "; under 30 % no oximeter is calibrated", _PERCENT, usable_low=30),
    VitalSign(
        "oxygen_flow", "L/min", 0, 60, _CHOSEN, _same("L/min", "l/min", "liters/min", "litres/min", "LPM", "lpm")
    ),
    VitalSign("oxygen_concentration", "%", 21, 100, "air holds 20.95 % oxygen", _PERCENT),
    VitalSign("on_oxygen", "1", 0, 1, "RCP 2017, NEWS2: air or oxygen", kind="flag"),
    VitalSign("consciousness", "{ACVPU}", 0, 0, "RCP 2017, NEWS2: ACVPU", kind="code"),
    VitalSign("gcs_total", "{score}", 3, 15, _SCALE, _SCORE),
    VitalSign("pain", "{score}", 0, 10, _SCALE, _SCORE),
    VitalSign("height", "cm", 20, 260, _CHOSEN, _LENGTH),
    VitalSign("weight", "kg", 0.2, 500, _CHOSEN, _WEIGHT),
    VitalSign("bmi", "kg/m2", 5, 120, _CHOSEN, _same("kg/m2", "kg/m^2", "kg/m²")),
    VitalSign("blood_group", "{ABO Rh}", 0, 0, "ABO and RhD groups", kind="code"),
    VitalSign("exercise_days", "d/mo", 0, 31, "days in a month", _same("d/mo", "d", "days", "{days}/mo")),
)

VITAL_SIGNS: Mapping[str, VitalSign] = MappingProxyType({sign.name: sign for sign in _TABLE})

# Percentages that senders also give as a share of one, UCUM `1` (`units.is_share`).
SHARES = frozenset({"spo2", "oxygen_concentration"})

# A value of these that is too low to be true may be the emergency itself (`units.is_alarming`).
ALARMING = frozenset(
    {"heart_rate", "pulse_rate", "respiratory_rate", "spo2", "systolic_bp", "diastolic_bp", "temperature"}
)

# Outside these a number is seldom true: whoever types it is asked to confirm it. Chosen by us, about twice as far from
# the middle as the limits at which NEWS2 (RCP 2017) gives 3 points.
USUAL: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "heart_rate": (35, 190),
        "respiratory_rate": (7, 45),
        "temperature": (33, 41.5),
        "systolic_bp": (70, 230),
        "diastolic_bp": (35, 130),
        "spo2": (75, 100),
    }
)
