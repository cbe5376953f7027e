"""What a site tells the reader of its senders: local codes and units, identifier systems, zones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from zoneinfo import ZoneInfo


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Sender:
    """What holds for one sender: MSH-3 and MSH-4.

    `zone` is that of times without one; `authority` the assigning authority of identifiers without one.
    `unverified_is_final` reads OBX-11 `R` as final, for devices that know no other status.
    """

    zone: ZoneInfo | None = None
    authority: str = ""
    unverified_is_final: bool = False


@dataclass(frozen=True, eq=False)
class SiteMap:
    """What a site decided about HL7 v2; the default knows standard codes and units only.

    `codes` maps a local code with its coding system, as OBX-3 writes them (`101^99MON`), to a vital sign, and makes a
    standard code trusted whatever text stands beside it; `units` a local unit to one of the vital-sign table;
    `missing_units` a vital sign to the unit of values sent without one; `authorities` an assigning authority to the
    identifier system FHIR senders use; `senders` the name of a sender (`MONITOR|ED`) to what holds for it.
    """

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    default_version: str = ""
    codes: Mapping[str, str] = field(default_factory=_nothing)
    units: Mapping[str, str] = field(default_factory=_nothing)
    missing_units: Mapping[str, str] = field(default_factory=_nothing)
    authorities: Mapping[str, str] = field(default_factory=_nothing)
    senders: Mapping[str, Sender] = field(default_factory=lambda: MappingProxyType({}))

    def sender(self, name: str) -> Sender:
        """What holds for the sender of this name."""
        return self.senders.get(name, _ANY_SENDER)


_ANY_SENDER = Sender()
STANDARD = SiteMap()
