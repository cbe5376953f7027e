"""Which messages are taken: types, what each trigger event does, and versions; all others are refused by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from cds_service.errors import InvalidMessage
from cds_service.hl7.header import MAX_CONTROL_ID, Header

NEWEST_VERSION = "2.9"
VERSIONS = frozenset({"2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1"}) | frozenset(
    {"2.8", "2.8.1", "2.8.2", NEWEST_VERSION}
)


class Effect(StrEnum):
    """What an event does beside carrying observations."""

    RESULTS = "results"
    ADMITS = "admits"
    TRANSFERS = "transfers"
    DISCHARGES = "discharges"
    UPDATES = "updates"
    CANCELS_ADMISSION = "cancels-admission"
    CANCELS_TRANSFER = "cancels-transfer"
    CANCELS_DISCHARGE = "cancels-discharge"
    MERGES = "merges"
    MOVES = "moves"
    CHANGES_IDENTIFIER = "changes-identifier"
    LINKS = "links"
    UNLINKS = "unlinks"
    SCHEDULES = "schedules"


# HL7 v2 table 0003 (event types), those that can carry OBX for one patient or change whose readings they are.
EVENTS: Mapping[str, Mapping[str, Effect]] = MappingProxyType(
    {
        "ORU": MappingProxyType(dict.fromkeys(("R01", "R30", "R31", "R32", "R40"), Effect.RESULTS)),
        "OUL": MappingProxyType(dict.fromkeys(("R22", "R23", "R24"), Effect.RESULTS)),
        "MDM": MappingProxyType({"T02": Effect.RESULTS}),
        "SIU": MappingProxyType({"S12": Effect.SCHEDULES}),
        "ADT": MappingProxyType(
            {
                "A01": Effect.ADMITS,
                "A02": Effect.TRANSFERS,
                "A03": Effect.DISCHARGES,
                "A04": Effect.ADMITS,
                "A05": Effect.SCHEDULES,
                "A06": Effect.TRANSFERS,
                "A07": Effect.TRANSFERS,
                "A08": Effect.UPDATES,
                "A11": Effect.CANCELS_ADMISSION,
                "A12": Effect.CANCELS_TRANSFER,
                "A13": Effect.CANCELS_DISCHARGE,
                "A18": Effect.MERGES,
                "A24": Effect.LINKS,
                "A28": Effect.UPDATES,
                "A31": Effect.UPDATES,
                "A34": Effect.MERGES,
                "A37": Effect.UNLINKS,
                "A40": Effect.MERGES,
                "A43": Effect.MOVES,
                "A44": Effect.MOVES,
                "A45": Effect.MOVES,
                "A47": Effect.CHANGES_IDENTIFIER,
            }
        ),
    }
)

# 2.1 names results without an event.
_DEFAULT_EVENTS = {"ORU": "R01"}
_STRUCTURE = re.compile(r"([A-Z]{3})_([A-Z][0-9]{2})")


def require_ours(header: Header, *, default_version: str) -> tuple[str, Effect]:
    """The trigger event and what it does; InvalidMessage when the message is not one that is read here.

    `default_version` stands for an empty MSH-12; without one such a message is refused.
    """
    if header.is_acknowledgment:
        raise InvalidMessage("is an acknowledgment", where="MSH-9", code=200, is_rejected=True, is_answered=False)
    if not header.type:
        raise InvalidMessage("is missing", where="MSH-9", code=101, is_rejected=True)
    if not header.control_id:
        raise InvalidMessage("is missing", where="MSH-10", code=101, is_rejected=True)
    if len(header.sent[10]) > MAX_CONTROL_ID:
        raise InvalidMessage(f"is longer than {MAX_CONTROL_ID} characters", where="MSH-10", code=102)
    if (header.version or default_version) not in VERSIONS:
        text = f"must be from 2.1 to {NEWEST_VERSION}" if header.version else "is missing; name the version"
        raise InvalidMessage(text, where="MSH-12", code=203, is_rejected=True)
    return _event(header)


def _event(header: Header) -> tuple[str, Effect]:
    kind, _, named = header.type.partition("_")
    events = EVENTS.get(kind)
    if events is None:
        text = f"is none of {', '.join(EVENTS)}"
        raise InvalidMessage(text, where="MSH-9", code=200, is_rejected=True)
    structure = _STRUCTURE.fullmatch(header.structure)
    trigger = header.trigger or named or (structure[2] if structure else "") or _DEFAULT_EVENTS.get(kind, "")
    effect = events.get(trigger)
    if effect is None:
        text = f"{kind} is read with {', '.join(events)}"
        raise InvalidMessage(text, where="MSH-9", code=201, is_rejected=True)
    return trigger, effect
