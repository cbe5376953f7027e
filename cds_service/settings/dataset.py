"""What a site decides of its datasets, from a TOML file: columns allowed, when labels are mature, what is held out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cds_service.domain.dataset import CLASSES, COLUMNS, DatasetRules
from cds_service.settings.toml import from_file, table

OURS = Path(__file__).with_name("dataset.toml")
_LONGEST_WAIT = 3660


def dataset_rules(path: Path | None) -> DatasetRules:
    """The rules of the site's file, or ours; ConfigurationError names the key that will not do."""
    return from_file(path or OURS, _rules)


def _rules(document: Mapping[str, Any]) -> DatasetRules:
    values = table(document, "", _READERS)
    missing = sorted(_READERS.keys() - values.keys())
    if missing:
        raise ValueError(f"{missing[0]}: missing")
    return DatasetRules(**values)


def _columns(value: Any, where: str) -> frozenset[str]:
    return frozenset(table(value, where, dict.fromkeys(COLUMNS, _reason)))


def _reason(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{where}: say why it is no identifier")
    return value


def _maturity(value: Any, where: str) -> Mapping[str, int]:
    classes = [name for names in CLASSES.values() for name in names]
    days = table(value, where, dict.fromkeys(classes, _days))
    missing = [name for name in classes if name not in days]
    if missing:
        raise ValueError(f"{where}.{missing[0]}: missing")
    return MappingProxyType(days)


def _days(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LONGEST_WAIT:
        raise ValueError(f"{where}: must be a whole number of days up to {_LONGEST_WAIT}")
    return value


def _share(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 0.5:
        raise ValueError(f"{where}: must be a number from 0 to 0.5")
    return float(value)


def _cap(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 100:
        raise ValueError(f"{where}: must be a number from 1 to 100")
    return float(value)


_READERS = {"columns": _columns, "maturity_days": _maturity, "holdout_share": _share, "weight_cap": _cap}
