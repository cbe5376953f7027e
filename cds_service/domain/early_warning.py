"""NEWS2, the published early-warning score: complete, or as bounds that name what is unknown.

Source: Royal College of Physicians. National Early Warning Score (NEWS) 2. London: RCP, 2017, chart 1 and the text on
scale 2, triggers and exclusions. The treatment of missing inputs, the mapping from GCS and rounding half up to the
chart's resolution are ours (docs/reference/early-warning.md).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from datetime import timedelta
from math import floor
from typing import NamedTuple

from cds_service.domain.patient import PatientSnapshot, Reading
from cds_service.domain.prediction import EarlyWarning

PARAMETERS = ("respiratory_rate", "spo2", "on_oxygen", "systolic_bp", "pulse", "consciousness", "temperature")

YOUNGEST_YEARS = 16
# Ages, in completed years, in which an unrecorded pregnancy is worth a word; chosen by us.
_FERTILE_YEARS = range(16, 56)

URGENT = 5
EMERGENCY = 7
RED = 3

# Each chart row: highest value of each band but the last, and the points of the bands. Temperature in tenths of Cel.
_Band = tuple[tuple[int, ...], tuple[int, ...]]
_RESPIRATION: _Band = ((8, 11, 20, 24), (3, 1, 0, 2, 3))
_SPO2_SCALE_1: _Band = ((91, 93, 95), (3, 2, 1, 0))
_SPO2_SCALE_2_AIR: _Band = ((83, 85, 87), (3, 2, 1, 0))
_SPO2_SCALE_2_OXYGEN: _Band = ((83, 85, 87, 92, 94, 96), (3, 2, 1, 0, 1, 2, 3))
_SYSTOLIC: _Band = ((90, 100, 110, 219), (3, 2, 1, 0, 3))
_PULSE: _Band = ((40, 50, 90, 110, 130), (3, 1, 0, 1, 2, 3))
_TEMPERATURE: _Band = ((350, 360, 380, 390), (3, 1, 0, 1, 2))
# What can be read off the chart from a number alone: the band and how many of its units make one of the reading's.
CHART: Mapping[str, tuple[_Band, int]] = {
    "respiratory_rate": (_RESPIRATION, 1),
    "spo2": (_SPO2_SCALE_1, 1),
    "systolic_bp": (_SYSTOLIC, 1),
    "pulse": (_PULSE, 1),
    "temperature": (_TEMPERATURE, 10),
}
_CONSCIOUSNESS = {"A": 0, "C": 3, "V": 3, "P": 3, "U": 3}
# A half, and the noise of binary floats and unit conversions, so that 38.05 is halfway whatever way it was reached.
_HALF = 0.5 + 1e-6
_OXYGEN_POINTS = 2
# From this SpO2 on, scale 2 depends on whether the patient is on oxygen.
_SCALE_2_DEPENDS_FROM = 93

_MOST = {name: _OXYGEN_POINTS if name == "on_oxygen" else RED for name in PARAMETERS}
_FULLY_AWAKE = 15  # the only Glasgow total that says what NEWS2 asks: alert


def early_warning(snapshot: PatientSnapshot, *, spread_limit: timedelta) -> EarlyWarning | str:
    """NEWS2 of one snapshot, or why there is none: age-unknown, under-16, pregnant, no-inputs."""
    omitted = _excluded(snapshot)
    if omitted is not None:
        return omitted
    inputs = _inputs(snapshot)
    scale = 2 if snapshot.spo2_scale == 2 else 1
    points = _points(inputs, scale)
    lower, red, unknown = _totals(points)
    if len(unknown) == len(PARAMETERS):
        return "no-inputs"
    most = _most(unknown, inputs, scale)
    upper = lower + sum(most)
    spread = _spread(inputs)
    return EarlyWarning(
        points=points,
        lower=lower,
        upper=upper,
        red=tuple(red),
        unknown=tuple(unknown),
        level=_level(lower, has_red=bool(red)),
        upper_level=_level(upper, has_red=bool(red) or RED in most),
        scale=scale,
        spread_min=spread.total_seconds() / 60,
        composed=spread > spread_limit,
        remarks=_remarks(snapshot, inputs.consciousness),
    )


class _Inputs(NamedTuple):
    """The reading behind each parameter, in their order."""

    respiratory_rate: Reading | None
    spo2: Reading | None
    on_oxygen: Reading | None
    systolic_bp: Reading | None
    pulse: Reading | None
    consciousness: Reading | None
    temperature: Reading | None


def _excluded(snapshot: PatientSnapshot) -> str | None:
    if snapshot.age_years is None:
        return "age-unknown"
    if snapshot.age_years < YOUNGEST_YEARS:
        return "under-16"
    return "pregnant" if snapshot.pregnant else None


def _inputs(snapshot: PatientSnapshot) -> _Inputs:
    """The readings to be scored: the newer of heart rate and pulse, ACVPU before a Glasgow total."""
    reading = snapshot.readings.get
    return _Inputs(
        reading("respiratory_rate"),
        reading("spo2"),
        reading("on_oxygen"),
        reading("systolic_bp"),
        snapshot.beat,
        _awareness(reading("consciousness"), reading("gcs_total")),
        reading("temperature"),
    )


def _awareness(acvpu: Reading | None, glasgow: Reading | None) -> Reading | None:
    """The reading consciousness is scored from: ACVPU, else a full Glasgow total.

    None too when a lower Glasgow total, no older, contradicts an "alert": which of them is right is not ours to guess.
    """
    if glasgow is None:
        return acvpu
    if acvpu is None:
        return glasgow if glasgow.value == _FULLY_AWAKE else None
    contradicts = acvpu.value == "A" and float(glasgow.value) < _FULLY_AWAKE and glasgow.time >= acvpu.time
    return None if contradicts else acvpu


def _points(inputs: _Inputs, scale: int) -> dict[str, int | None]:
    rate, spo2, oxygen, systolic, pulse, consciousness, temperature = inputs
    on_oxygen = None if oxygen is None else bool(oxygen.value)
    return {
        "respiratory_rate": None if rate is None else _scored(rate, _RESPIRATION),
        "spo2": None if spo2 is None else _saturation(spo2, scale, on_oxygen=on_oxygen),
        "on_oxygen": None if on_oxygen is None else _OXYGEN_POINTS * on_oxygen,
        "systolic_bp": None if systolic is None else _scored(systolic, _SYSTOLIC),
        "pulse": None if pulse is None else _scored(pulse, _PULSE),
        "consciousness": None if consciousness is None else _consciousness(consciousness),
        "temperature": None if temperature is None else _scored(temperature, _TEMPERATURE, 10),
    }


def _totals(points: Mapping[str, int | None]) -> tuple[int, list[str], list[str]]:
    """What is known adds up to, the parameters that score 3, and those that are unknown."""
    total, red, unknown = 0, [], []
    for name, known in points.items():
        if known is None:
            unknown.append(name)
            continue
        total += known
        if known == RED:
            red.append(name)
    return total, red, unknown


def _most(unknown: list[str], inputs: _Inputs, scale: int) -> list[int]:
    """The most points each unknown can add. Where oxygen is unknown, being on it adds the most."""
    most = [_MOST[name] for name in unknown]
    if inputs.spo2 is not None and "spo2" in unknown:
        most[unknown.index("spo2")] = _saturation(inputs.spo2, scale, on_oxygen=True) or RED
    return most


def _scored(reading: Reading, band: _Band, per_unit: int = 1) -> int:
    limits, points = band
    return points[bisect_left(limits, _charted(float(reading.value), per_unit))]


def _charted(value: float, per_unit: int) -> int:
    """The value rounded half up to the chart's resolution, in units of it; 38.05 at tenths is 381."""
    return floor(value * per_unit + _HALF)


def _saturation(reading: Reading, scale: int, *, on_oxygen: bool | None) -> int | None:
    if scale == 1:
        return _scored(reading, _SPO2_SCALE_1)
    if on_oxygen is None and _charted(float(reading.value), 1) >= _SCALE_2_DEPENDS_FROM:
        return None
    return _scored(reading, _SPO2_SCALE_2_OXYGEN if on_oxygen else _SPO2_SCALE_2_AIR)


def _consciousness(reading: Reading) -> int | None:
    return 0 if reading.name == "gcs_total" else _CONSCIOUSNESS.get(str(reading.value))


def _level(total: int, *, has_red: bool) -> str:
    if total >= EMERGENCY:
        return "high"
    if total >= URGENT:
        return "medium"
    return "low-medium" if has_red else "low"


def _spread(inputs: _Inputs) -> timedelta:
    times = [reading.time for reading in inputs if reading is not None]
    return max(times) - min(times)


def _remarks(snapshot: PatientSnapshot, consciousness: Reading | None) -> tuple[str, ...]:
    remarks = []
    if consciousness is None:
        glasgow = snapshot.number("gcs_total")
        if glasgow is not None and glasgow < _FULLY_AWAKE:
            remarks.append("glasgow-not-full")
    elif consciousness.name == "gcs_total":
        remarks += ("consciousness-from-gcs", "confusion-not-asked")
    elif "confusion-not-asked" in consciousness.flags:
        remarks.append("confusion-not-asked")
    if snapshot.sex == "female" and snapshot.pregnant is None and int(snapshot.age_years or 0) in _FERTILE_YEARS:
        remarks.append("pregnancy-unknown")
    return tuple(remarks)
