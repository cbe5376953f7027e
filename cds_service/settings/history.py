"""The column map of a hospital's history, from a TOML file: known keys only, errors that name the key."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cds_service.domain.label import CODE_SHAPES
from cds_service.domain.vitals import VITAL_SIGNS
from cds_service.records.history_map import HISTORY_FIELDS, RULES, HistoryMap
from cds_service.records.readings import QUANTITIES
from cds_service.settings.toml import from_file, one_of, table, text, zone_name

_REQUIRED = ("patient_id", "observed_at")
_FACTS = ("category", "icu_admission", "diagnosis")


def history_map(path: Path) -> HistoryMap:
    """The map of a TOML file; ConfigurationError names the key that is unknown, missing or will not do."""
    return from_file(path, _map)


def _map(document: Mapping[str, Any]) -> HistoryMap:
    values = table(document, "", _READERS)
    columns = values.get("columns", {})
    missing = [name for name in _REQUIRED if name not in columns]
    if missing:
        raise ValueError(f"columns.{missing[0]}: missing")
    if not any(name in columns for name in _FACTS):
        raise ValueError(f"columns: name at least one of {', '.join(_FACTS)}")
    rules = {name: values.pop(name, choices[0]) for name, choices in RULES.items()}
    found = HistoryMap(rules=rules, **values)
    if found.delimiter == found.decimal:
        raise ValueError("delimiter: must differ from decimal")
    return found


def _columns(value: Any, where: str) -> dict[str, str]:
    return table(value, where, dict.fromkeys(sorted(HISTORY_FIELDS), _header))


def _header(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{where}: must be the name of a column")
    return value.strip()


def _units(value: Any, where: str) -> dict[str, str]:
    return table(value, where, {name: partial(_unit, name) for name in QUANTITIES})


def _unit(name: str, value: Any, where: str) -> str:
    units = VITAL_SIGNS[name].units
    if value not in units:
        raise ValueError(f"{where}: must be one of {', '.join(units)}")
    return str(value)


def _values(value: Any, where: str) -> dict[str, Mapping[str, str]]:
    return table(value, where, dict.fromkeys(sorted(HISTORY_FIELDS), _words))


def _words(value: Any, where: str) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"{where}: must be a table of words")
    return {word: text(meant, f"{where}.{word}") for word, meant in value.items()}


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{where}: must be a list of texts")
    return tuple(value)


def _encoding(value: Any, where: str) -> str:
    try:
        name = codecs.lookup(text(value, where)).name
    except LookupError:
        raise ValueError(f"{where}: must be an encoding such as utf-8 or latin-1") from None
    return "utf-8-sig" if name == "utf-8" else name  # a mark at the beginning is no part of the first column's name


def _delimiter(value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) != 1 or value in '"\r\n':
        raise ValueError(f"{where}: must be one character")
    return value


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{where}: must be true or false")
    return value


_READERS = {
    "columns": _columns,
    "units": _units,
    "values": _values,
    "dates": _texts,
    "missing": lambda value, where: frozenset({"", *_texts(value, where)}),
    "zone": lambda value, where: ZoneInfo(zone_name(value, where)),
    "encoding": _encoding,
    "delimiter": _delimiter,
    "decimal": one_of(".", ","),
    "encounter_class": text,
    "diagnosis_system": one_of(*CODE_SHAPES),
    "synthetic": _flag,
    **{name: one_of(*choices) for name, choices in RULES.items()},
}
