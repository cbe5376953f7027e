"""The `[feeds]` table of the site file: when a sender of HL7 v2 messages raises an alarm."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import Any

from cds_service.domain.policy import FeedLimits, FeedPolicy
from cds_service.settings.hl7 import each_sender
from cds_service.settings.toml import table

_MOST_MINUTES = 366 * 24 * 60


def feeds_policy(document: Any, where: str) -> FeedPolicy:
    """The limits a site set, those of single senders over those of all; ValueError names the key that will not do."""
    senders: dict[str, Any] = {}

    def read_senders(value: Any, place: str) -> None:
        senders.update(each_sender(_limits)(value, place))

    common = FeedLimits()._replace(**_named(table(document, where, {**_READERS, "senders": read_senders})))
    return FeedPolicy(common, MappingProxyType({name: common._replace(**own) for name, own in senders.items()}))


def feeds_document(policy: FeedPolicy) -> dict[str, Any]:
    """Everything in force, in the file's own keys."""
    senders = {name: _keys(limits) for name, limits in policy.senders.items()}
    return {**_keys(policy.limits), "senders": senders}


def _limits(document: Any, where: str) -> dict[str, Any]:
    return _named(table(document, where, _READERS))


def _named(values: dict[str, Any]) -> dict[str, Any]:
    return {name.removesuffix("_min"): value for name, value in values.items() if name != "senders"}


def _keys(limits: FeedLimits) -> dict[str, Any]:
    return {
        "silent_min": int(limits.silent.total_seconds() // 60),
        "clock_skew_min": int(limits.clock_skew.total_seconds() // 60),
        "unmapped_share": limits.unmapped_share,
    }


def _minutes_from(fewest: int) -> Any:
    def read(value: Any, where: str) -> timedelta:
        if isinstance(value, bool) or not isinstance(value, int) or not fewest <= value <= _MOST_MINUTES:
            raise ValueError(f"{where}: must be a whole number of minutes from {fewest}")
        return timedelta(minutes=value)

    return read


def _share(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ValueError(f"{where}: must be a number over 0, and 1 for never")
    return float(value)


_READERS = {"silent_min": _minutes_from(0), "clock_skew_min": _minutes_from(1), "unmapped_share": _share}
