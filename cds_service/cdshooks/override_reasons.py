"""Why a clinician sets a card aside: HL7's codes, and our own that say which state the patient was really in.

Of these only ours carry a diagnosis, so only they can become a label (docs/reference/cards.md). The card of rare
diseases offers its candidates besides.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from cds_service.i18n import msgid, translator

# HL7 code system, published with the CDS Hooks 3.0.0 ballot (input/vocabulary of HL7/cds-hooks); 2.0.1 names no set.
NON_ADHERENCE = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
# Ours. A UUID needs no domain name and cannot be mistaken for anyone else's (FHIR R4 datatype uri).
OWN_REASONS = "urn:uuid:6f0d1c62-3f5b-5d0e-9f4a-0c9a55d6b9a4"


class Reason(NamedTuple):
    """One override reason; `state` is the label it carries, `snoozes` whether it says the patient was assessed."""

    system: str
    code: str
    display: str
    state: str | None = None
    snoozes: bool = False


# HL7's displays word for word; of ours, those that end in a state give it as the label.
REASONS = (
    Reason(NON_ADHERENCE, "cds-not-applicable", msgid("PC CDS does not apply to patient")),
    Reason(NON_ADHERENCE, "action-completed", msgid("Recommended action was already completed")),
    Reason(
        NON_ADHERENCE,
        "need-more-info",
        msgid("Could not address recommended action due to need for more information/pending results/pending consult"),
    ),
    Reason(NON_ADHERENCE, "inappropriate-recipient", msgid("PC CDS delivered to inappropriate recipient/role")),
    Reason(
        NON_ADHERENCE, "wrong-time-workflow", msgid("PC CDS delivered at wrong time in workflow or patient lifecycle")
    ),
    Reason(
        NON_ADHERENCE,
        "recipient-does-not-trust",
        msgid("Recipient does not agree with or trust the recommended action"),
    ),
    Reason(OWN_REASONS, "already-assessed", msgid("Already assessed by me"), snoozes=True),
    Reason(OWN_REASONS, "not-ill", msgid("Assessed by me: not ill"), state="not-ill", snoozes=True),
    Reason(OWN_REASONS, "mild", msgid("Assessed by me: mildly ill"), state="mild", snoozes=True),
    Reason(OWN_REASONS, "acute", msgid("Assessed by me: acutely ill"), state="acute", snoozes=True),
    Reason(OWN_REASONS, "chronic", msgid("Assessed by me: chronically ill"), state="chronic", snoozes=True),
    Reason(OWN_REASONS, "terminal", msgid("Assessed by me: terminally ill"), state="terminal", snoozes=True),
)

# By (system, code), as feedback names a reason.
STATES_BY_REASON = {(reason.system, reason.code): reason.state for reason in REASONS if reason.state is not None}
SNOOZING = frozenset((reason.system, reason.code) for reason in REASONS if reason.snoozes)
_CODES = {(reason.system, reason.code): reason.code for reason in REASONS}


def reason_name(reason: tuple[str, str] | None) -> str:
    """The reason as a metric names it: a code of the cards, `other`, or `none`."""
    return "none" if reason is None else _CODES.get(reason, "other")


@lru_cache(maxsize=8)
def override_reasons(language: str) -> tuple[dict[str, Any], ...]:
    """The codings offered with every card, each with code, system and display."""
    t = translator(language)
    return tuple({"code": reason.code, "system": reason.system, "display": t(reason.display)} for reason in REASONS)


@lru_cache(maxsize=8)
def encoded_reasons(language: str) -> msgspec.Raw:
    """The same codings as a JSON array, encoded once: they are half of a card's bytes."""
    return msgspec.Raw(msgspec.json.encode(override_reasons(language)))
