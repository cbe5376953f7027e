"""What a site decides, from a TOML file: how old readings may be, where the bands lie, its zone; and their hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from cds_service.domain.policy import AssessmentPolicy, FeedbackPolicy, FeedPolicy, ReadingPolicy
from cds_service.hl7.site import STANDARD, SiteMap
from cds_service.settings.feeds import feeds_document, feeds_policy
from cds_service.settings.hl7 import hl7_document, hl7_values
from cds_service.settings.toml import from_file, table, text, zone_name


@dataclass(frozen=True)
class Site:
    """The numbers a site approved, with the version it gave them; `hash` is on every prediction."""

    version: str = "defaults"
    zone: str = "UTC"
    reading: ReadingPolicy = field(default_factory=ReadingPolicy)
    assessment: AssessmentPolicy = field(default_factory=AssessmentPolicy)
    feedback: FeedbackPolicy = field(default_factory=FeedbackPolicy)
    hl7: SiteMap = STANDARD
    feeds: FeedPolicy = field(default_factory=FeedPolicy)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of every number in force, defaults included, as hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.as_document(), sort_keys=True).encode()).hexdigest()

    @cached_property
    def zone_info(self) -> ZoneInfo:
        """The time zone cards are written in."""
        return ZoneInfo(self.zone)

    def as_document(self) -> dict[str, Any]:
        """Every number in force, in the file's own keys."""
        return {
            "version": self.version,
            "zone": self.zone,
            "reading": {
                "default_max_age_min": _minutes(self.reading.default_max_age),
                "future_tolerance_min": _minutes(self.reading.future_tolerance),
                "max_age_min": {name: _minutes(age) for name, age in self.reading.max_age.items()},
                "slow_max_age_min": {name: _minutes(age) for name, age in self.reading.slow_max_age.items()},
            },
            "assessment": {
                "moderate": self.assessment.moderate,
                "high": self.assessment.high,
                "flags_per_100": self.assessment.flags_per_100,
                "news2_spread_min": _minutes(self.assessment.news2_spread),
            },
            "feedback": {
                "snooze_min": _minutes(self.feedback.snooze),
                "author_labels_a_day": self.feedback.author_labels_a_day,
                "sender_labels_a_day": self.feedback.sender_labels_a_day,
                "burst_labels": self.feedback.burst_labels,
            },
            "hl7": hl7_document(self.hl7),
            "feeds": feeds_document(self.feeds),
        }


def site_from_file(path: Path) -> Site:
    """The site of a TOML file; ConfigurationError names the key that is unknown or will not do."""
    return from_file(path, _site)


def _site(document: Mapping[str, Any]) -> Site:
    values = table(document, "", _READERS)
    hl7 = values.pop("hl7", {})
    site = replace(Site(), **values)
    return replace(site, hl7=SiteMap(zone=site.zone_info, **hl7))


def _reading(document: Any, where: str) -> ReadingPolicy:
    values = table(
        document,
        where,
        {
            "default_max_age_min": _age,
            "future_tolerance_min": _age,
            "max_age_min": _ages,
            "slow_max_age_min": _ages,
        },
    )
    defaults = ReadingPolicy()
    for name in ("max_age", "slow_max_age"):
        merged = {**getattr(defaults, name), **values.get(f"{name}_min", {})}
        values[f"{name}_min"] = MappingProxyType(merged)
    return replace(defaults, **{name.removesuffix("_min"): value for name, value in values.items()})


def _assessment(document: Any, where: str) -> AssessmentPolicy:
    numbers = {"moderate": _probability, "high": _probability, "flags_per_100": _per_100, "news2_spread_min": _age}
    values = table(document, where, numbers)
    policy = replace(AssessmentPolicy(), **{name.removesuffix("_min"): value for name, value in values.items()})
    if policy.moderate >= policy.high:
        raise ValueError(f"{where}: moderate must be under high")
    return policy


def _feedback(document: Any, where: str) -> FeedbackPolicy:
    counts = ("author_labels_a_day", "sender_labels_a_day", "burst_labels")
    values = table(document, where, {"snooze_min": _age, **dict.fromkeys(counts, _count)})
    return replace(FeedbackPolicy(), **{name.removesuffix("_min"): value for name, value in values.items()})


def _count(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{where}: must be a whole number over 0")
    return value


def _age(value: Any, where: str) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= 100 * 366 * 24 * 60:
        raise ValueError(f"{where}: must be a whole number of minutes over 0")
    return timedelta(minutes=value)


def _ages(value: Any, where: str) -> dict[str, timedelta]:
    if not isinstance(value, dict):
        raise ValueError(f"{where}: must be a table of minutes")
    return {name: _age(minutes, f"{where}.{name}") for name, minutes in value.items()}


def _probability(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise ValueError(f"{where}: must be a number between 0 and 1")
    return float(value)


def _per_100(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 100:
        raise ValueError(f"{where}: must be a number over 0 and up to 100")
    return float(value)


def _minutes(age: timedelta) -> int:
    return int(age.total_seconds() // 60)


_READERS = {
    "version": text,
    "zone": zone_name,
    "reading": _reading,
    "assessment": _assessment,
    "feedback": _feedback,
    "hl7": hl7_values,
    "feeds": feeds_policy,
}
