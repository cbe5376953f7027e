"""What the MLLP listener counts, in the registry of this process. Labels come from short closed lists only."""

from __future__ import annotations

from functools import lru_cache

from prometheus_client import Counter, Gauge, Histogram

from cds_service.monitoring.metrics import REGISTRY

# As for HTTP; a sender waits for each acknowledgment before it sends on.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)

CONNECTIONS = Gauge("cds_mllp_connections", "Connections open now.", registry=REGISTRY)
REFUSED = Counter("cds_mllp_refused_connections", "Connections refused, by reason.", ["reason"], registry=REGISTRY)
IN_FLIGHT = Gauge("cds_mllp_in_flight", "Messages taken and not yet answered.", registry=REGISTRY)
MESSAGES = Counter("cds_mllp_messages", "Messages taken, by what became of them.", ["outcome"], registry=REGISTRY)
messages = lru_cache(maxsize=16)(MESSAGES.labels)  # finding the child of a label takes longer than counting
MESSAGE_SECONDS = Histogram(
    "cds_mllp_message_seconds",
    "Seconds from a whole message to its answer.",
    registry=REGISTRY,
    buckets=_SECONDS,
)
FAULTS = Counter("cds_mllp_faults", "Bytes that were no message, by fault.", ["fault"], registry=REGISTRY)
CLOSED = Counter("cds_mllp_closed_connections", "Connections that ended, by reason.", ["reason"], registry=REGISTRY)
