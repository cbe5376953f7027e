"""Acknowledgments: original and enhanced mode, made of bytes so that what they echo is what was sent.

    reply = acknowledge(message.header, message.faults, at=at, control_id=new_id)      # once it is stored
    reply = acknowledge_refusal(raw, error, at=at, control_id=new_id)                  # InvalidMessage
    reply = acknowledge_trouble(message.header, at=at, control_id=new_id)              # ours: send it again later

`reply.accept` goes first, then `reply.application`; either is None where the sender wants none.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from cds_service.errors import InvalidMessage
from cds_service.hl7.ack_segments import acknowledgment
from cds_service.hl7.header import Header, peek
from cds_service.hl7.message import Fault


class Verdict(StrEnum):
    """What becomes of a message: taken, wrong in its content, or not one for us (or not now)."""

    ACCEPTED = "A"
    ERROR = "E"
    REJECTED = "R"


class Reply(NamedTuple):
    """The accept and the application acknowledgment; None where none is to be sent."""

    accept: bytes | None = None
    application: bytes | None = None


def acknowledge(header: Header, faults: Sequence[Fault] = (), *, at: datetime, control_id: str) -> Reply:
    """The answer to a message that was read and stored: AA, or AE where a fault is an error."""
    is_wrong = any(fault.is_error for fault in faults)
    return _reply(header, Verdict.ERROR if is_wrong else Verdict.ACCEPTED, faults, at, control_id)


def acknowledge_refusal(raw: bytes, error: InvalidMessage, *, at: datetime, control_id: str) -> Reply:
    """The answer to bytes that are no message to take, as far as their header can be read."""
    if not error.is_answered:
        return Reply()
    verdict = Verdict.REJECTED if error.is_rejected else Verdict.ERROR
    faults = [Fault(error.code, where, text) for where, text in ((error.where, error.text), *error.details)]
    return _reply(peek(raw), verdict, faults, at, control_id)


def acknowledge_trouble(header: Header | None, *, at: datetime, control_id: str) -> Reply:
    """The answer while nothing can be stored: the same message may be sent again, unchanged."""
    fault = Fault(207, "", "cannot be stored now; send it again later")
    return _reply(header, Verdict.REJECTED, [fault], at, control_id)


def _reply(header: Header | None, verdict: Verdict, faults: Sequence[Fault], at: datetime, control_id: str) -> Reply:
    """In enhanced mode an accept acknowledgment that refuses is the last word; an application one follows any other."""
    if header is None or not header.is_enhanced:
        return Reply(application=acknowledgment(header, f"A{verdict}", faults, at, control_id))
    accept = application = None
    if _is_wanted(header.accept_when, verdict):
        listed = () if verdict is Verdict.ACCEPTED else faults
        accept = acknowledgment(header, f"C{verdict}", listed, at, f"{control_id}C")
    if (accept is None or verdict is Verdict.ACCEPTED) and _is_wanted(header.apply_when, verdict):
        application = acknowledgment(header, f"A{verdict}", faults, at, control_id)
    return Reply(accept, application)


def _is_wanted(when: str, verdict: Verdict) -> bool:
    """Whether an acknowledgment is asked for (HL7 table 0155); in enhanced mode an empty condition is "never"."""
    if when == "ER":
        return verdict is not Verdict.ACCEPTED
    return verdict is Verdict.ACCEPTED if when == "SU" else when not in ("", "NE")
