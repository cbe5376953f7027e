"""The `[hl7]` table of the site file: local codes and units, identifier systems, and what holds for single senders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from cds_service.domain.vitals import VITAL_SIGNS
from cds_service.hl7.events import VERSIONS
from cds_service.hl7.site import Sender, SiteMap
from cds_service.settings.toml import key_path, table, text, zone_name

_LONGEST = 200


def hl7_values(document: Any, where: str) -> dict[str, Any]:
    """The fields of a `SiteMap` a site set, by name; ValueError names the key that will not do."""
    return table(
        document,
        where,
        {
            "default_version": _version,
            "codes": _each(_vital),
            "units": _each(_unit),
            "missing_units": _missing_units,
            "authorities": _each(_long_text),
            "senders": each_sender(_sender),
        },
    )


def hl7_document(site: SiteMap) -> dict[str, Any]:
    """Everything in force, in the file's own keys."""
    return {
        "default_version": site.default_version,
        "codes": dict(site.codes),
        "units": dict(site.units),
        "missing_units": dict(site.missing_units),
        "authorities": dict(site.authorities),
        "senders": {
            name: {
                "zone": "" if sender.zone is None else sender.zone.key,
                "authority": sender.authority,
                "unverified_is_final": sender.unverified_is_final,
            }
            for name, sender in site.senders.items()
        },
    }


def _each(read: Callable[[Any, str], Any]) -> Callable[[Any, str], Mapping[str, Any]]:
    """A table of any keys, each value read alike."""

    def read_table(document: Any, where: str) -> Mapping[str, Any]:
        if not isinstance(document, dict):
            raise ValueError(f"{where}: must be a table")
        return MappingProxyType({name: read(value, key_path(where, name)) for name, value in document.items()})

    return read_table


def _vital(value: Any, where: str) -> str:
    if value not in VITAL_SIGNS:
        raise ValueError(f"{where}: must be one of {', '.join(VITAL_SIGNS)}")
    return str(value)


def _unit(value: Any, where: str) -> str:
    if not any(value in sign.units for sign in VITAL_SIGNS.values()):
        raise ValueError(f"{where}: must be a unit of docs/reference/vital-signs.md")
    return str(value)


def _missing_units(document: Any, where: str) -> Mapping[str, str]:
    units: Mapping[str, str] = _each(_unit)(document, where)
    for name, unit in units.items():
        _vital(name, key_path(where, name))
        if unit not in VITAL_SIGNS[name].units:
            raise ValueError(f"{key_path(where, name)}: {unit} is no unit of {name}")
    return units


def each_sender(read: Callable[[Any, str], Any]) -> Callable[[Any, str], Mapping[str, Any]]:
    """A table by sender, each value read alike."""

    def read_table(document: Any, where: str) -> Mapping[str, Any]:
        senders = _each(read)(document, where)
        for name in senders:
            if name.count("|") != 1:
                raise ValueError(f"{key_path(where, name)}: name a sender by MSH-3 and MSH-4, as in MONITOR|ED")
        return senders

    return read_table


def _sender(document: Any, where: str) -> Sender:
    readers = {"zone": _zone, "authority": _long_text, "unverified_is_final": _flag}
    return Sender(**table(document, where, readers))


def _zone(value: Any, where: str) -> ZoneInfo:
    return ZoneInfo(zone_name(value, where))


def _flag(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{where}: must be true or false")
    return value


def _version(value: Any, where: str) -> str:
    if value not in VERSIONS:
        raise ValueError(f"{where}: must be one of {', '.join(sorted(VERSIONS))}")
    return text(value, where)


def _long_text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST or not value.isprintable():
        raise ValueError(f"{where}: must be a text of 1 to {_LONGEST} printable characters")
    return value
