"""Why a clinician sets a card aside: HL7's codes, and our own that say which state the patient was really in.

Only ours carry a diagnosis, so only they can become a label (docs/reference/cards.md).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cds_service.i18n import msgid, translator

# HL7 code system, published with the CDS Hooks 3.0.0 ballot (input/vocabulary of HL7/cds-hooks); 2.0.1 names no set.
NON_ADHERENCE = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
# Ours. A UUID needs no domain name and cannot be mistaken for anyone else's (FHIR R4 datatype uri).
VALIDATED_STATE = "urn:uuid:6f0d1c62-3f5b-5d0e-9f4a-0c9a55d6b9a4"

# HL7's displays word for word; ours end in the state that a label takes from the code.
REASONS = (
    (NON_ADHERENCE, "cds-not-applicable", msgid("PC CDS does not apply to patient")),
    (NON_ADHERENCE, "action-completed", msgid("Recommended action was already completed")),
    (
        NON_ADHERENCE,
        "need-more-info",
        msgid("Could not address recommended action due to need for more information/pending results/pending consult"),
    ),
    (NON_ADHERENCE, "inappropriate-recipient", msgid("PC CDS delivered to inappropriate recipient/role")),
    (NON_ADHERENCE, "wrong-time-workflow", msgid("PC CDS delivered at wrong time in workflow or patient lifecycle")),
    (NON_ADHERENCE, "recipient-does-not-trust", msgid("Recipient does not agree with or trust the recommended action")),
    (VALIDATED_STATE, "not-ill", msgid("Assessed by me: not ill")),
    (VALIDATED_STATE, "mild", msgid("Assessed by me: mildly ill")),
    (VALIDATED_STATE, "acute", msgid("Assessed by me: acutely ill")),
    (VALIDATED_STATE, "chronic", msgid("Assessed by me: chronically ill")),
    (VALIDATED_STATE, "terminal", msgid("Assessed by me: terminally ill")),
)


@lru_cache(maxsize=8)
def override_reasons(language: str) -> tuple[dict[str, Any], ...]:
    """The codings offered with every card, each with code, system and display."""
    t = translator(language)
    return tuple({"code": code, "system": system, "display": t(display)} for system, code, display in REASONS)
