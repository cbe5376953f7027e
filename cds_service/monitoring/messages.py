"""What is counted of HL7 v2 messages, in the registry of this process. Labels come from short closed lists only."""

from __future__ import annotations

from functools import lru_cache

from prometheus_client import Counter, Gauge

from cds_service.monitoring.metrics import REGISTRY

RECEIVED = Counter(
    "cds_hl7_messages",
    "HL7 v2 messages answered, by what became of them; `repeated` ones were answered as before.",
    ["status", "repeated"],
    registry=REGISTRY,
)
ANSWERS = Counter(
    "cds_hl7_acknowledgments",
    "Acknowledgments given, by code (HL7 table 0008); none where the sender wants none.",
    ["code"],
    registry=REGISTRY,
)
# Finding the child of a label takes longer than counting; these are asked for with every message.
received = lru_cache(maxsize=64)(RECEIVED.labels)
answered = lru_cache(maxsize=16)(ANSWERS.labels)

PENDING = Gauge("cds_hl7_pending", "Messages acknowledged and not scored yet, at the last look.", registry=REGISTRY)
ALARMS = Gauge("cds_hl7_alarms", "Senders about which something is wrong now.", ["alarm"], registry=REGISTRY)
