"""Whether numbers can be true, in the canonical unit of their vital sign."""

from __future__ import annotations

from cds_service.domain.vitals import ALARMING, SHARES, VITAL_SIGNS


def is_share(name: str, value: float, unit: str) -> bool:
    """Whether a percentage was sent as a share of one, to be taken a hundredfold and flagged; over one is no guess."""
    return unit == "1" and name in SHARES and 0 <= value <= 1


def is_plausible(name: str, value: float) -> bool:
    """Whether the number, in canonical units, can be a reading of a living patient that may be scored."""
    sign = VITAL_SIGNS[name]
    low = sign.low if sign.usable_low is None else sign.usable_low
    return low <= value <= sign.high


def is_alarming(name: str, value: float) -> bool:
    """Whether an implausible number may be the emergency itself: 0/min, an unrecordable pressure, 24 Cel.

    Only numbers that are too low: what is too high, or negative, is a fault of entry or device.
    """
    sign = VITAL_SIGNS[name]
    return name in ALARMING and 0 <= value < (sign.low if sign.usable_low is None else sign.usable_low)
