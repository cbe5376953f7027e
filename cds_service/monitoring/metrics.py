"""Counters and histograms of this process, in a registry of their own. Labels come from short closed lists only.

What every call counts is noted, and counted when the registry is asked.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from cds_service.domain.actor import counted_as
from cds_service.domain.label import Label
from cds_service.domain.phenotype import RareAssessment
from cds_service.domain.prediction import Prediction
from cds_service.monitoring.later import Later

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class _Registry(CollectorRegistry):
    """Has what was noted counted before it is asked."""

    def collect(self) -> Iterable[Metric]:
        """Every metric, as of now."""
        _happened.settle()
        _answered.settle()
        return super().collect()


def _count(happened: Sequence[tuple[Counter, tuple[str, ...]]]) -> None:
    for (counter, labels), number in Tally(happened).items():
        counter.labels(*labels).inc(number)


def _count_answers(answered: Sequence[tuple[str, int, float]]) -> None:
    for (route, status), number in Tally((route, status) for route, status, _ in answered).items():
        REQUESTS.labels(route, str(status)).inc(number)
    for route, _, seconds in answered:
        _request_seconds(route).observe(seconds)


# Counter and labels of what happened once; route, status and seconds of requests that were answered.
_happened = Later(_count)
_answered = Later(_count_answers)

REGISTRY = _Registry()
ProcessCollector(registry=REGISTRY)

# Around the 500 ms a hook may take (CDS Hooks 2.0.1, "should return quickly"), and the writer's two-second deadline.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)

REQUESTS = Counter(
    "cds_http_requests", "Requests answered, by route and status.", ["route", "status"], registry=REGISTRY
)
REQUEST_SECONDS = Histogram(
    "cds_http_request_seconds",
    "Seconds from a whole request to its answer, by route.",
    ["route"],
    registry=REGISTRY,
    buckets=_SECONDS,
)
PREDICTIONS = Counter(
    "cds_predictions",
    "Predictions stored, by band of risk (or why there is none) and level of NEWS2.",
    ["environment", "band", "news2"],
    registry=REGISTRY,
)
RARE_RANKINGS = Counter(
    "cds_rare_rankings",
    "Rankings of rare diseases stored, by band of confidence, or why there is no list.",
    ["environment", "band"],
    registry=REGISTRY,
)
RARE_NOT_USED = Counter(
    "cds_rare_findings_not_used",
    "Codes and names of findings that a ranking could not use, by reason.",
    ["reason"],
    registry=REGISTRY,
)
NOT_USED = Counter(
    "cds_readings_not_used", "Readings left out of every score, by reason.", ["reason"], registry=REGISTRY
)

CARDS = Counter(
    "cds_cards", "Cards shown, by service and indicator.", ["environment", "service", "indicator"], registry=REGISTRY
)

LABELS = Counter(
    "cds_labels",
    "Events of the label ledger by source and kind; `quarantine` says why one is held back, else none.",
    ["environment", "source", "kind", "quarantine"],
    registry=REGISTRY,
)

FETCHES = Counter(
    "cds_fhir_fetches",
    "Queries sent to clients' FHIR servers for what a prefetch left out, by prefetch key and outcome.",
    ["part", "outcome"],
    registry=REGISTRY,
)

REFUSALS = Counter(
    "cds_authentication_refused",
    "Calls refused, by reason.",
    ["reason"],
    registry=REGISTRY,
)

FEEDBACK = Counter(
    "cds_feedback",
    "Reports on cards stored, by service, outcome and override reason.",
    ["environment", "service", "outcome", "reason"],
    registry=REGISTRY,
)

_request_seconds = lru_cache(maxsize=128)(REQUEST_SECONDS.labels)


class Writer(Protocol):
    """The part of the database writer that is measured."""

    restarts: int

    def waiting(self) -> int:
        """How many entries wait to be taken."""


class _WriterCollector(Collector):
    """Asks the writer when it is scraped, so that measuring costs its callers nothing."""

    writer: Callable[[], Writer] | None = None

    def collect(self) -> Iterator[Metric]:
        """Queue length and restarts of the writer in service; nothing before one is."""
        if self.writer is None:
            return
        writer = self.writer()
        yield GaugeMetricFamily("cds_writer_queue_length", "Entries waiting for the writer.", value=writer.waiting())
        yield CounterMetricFamily("cds_writer_restarts", "Times the writer's thread was replaced.", writer.restarts)


_writer_collector = _WriterCollector()
REGISTRY.register(_writer_collector)


def count_request(route: str, status: int, seconds: float) -> None:
    """One request answered; `route` is the rule that matched, never the path sent."""
    _answered.note((route, status, seconds))


def count_prediction(prediction: Prediction | RareAssessment, environment: str) -> None:
    """One prediction stored, and each of its readings that was not used; or one ranking."""
    if isinstance(prediction, RareAssessment):
        RARE_RANKINGS.labels(environment, prediction.ranking.omitted or prediction.ranking.band).inc()
        for unmapped in prediction.phenotype.unmapped:
            RARE_NOT_USED.labels(unmapped.reason).inc()
        return
    band = prediction.risk.band if prediction.risk else prediction.risk_omitted
    news2 = prediction.news2.level if prediction.news2 else prediction.news2_omitted
    _happened.note((PREDICTIONS, (environment, str(band), str(news2))))
    for reading in prediction.snapshot.not_used:
        _happened.note((NOT_USED, (reading.reason.value,)))


def count_label(label: Label) -> None:
    """One event of the label ledger acknowledged."""
    environment = counted_as(label.tenant, label.environment)
    LABELS.labels(environment, label.source.value, label.kind.value, label.quarantine or "none").inc()


def count_fetch(part: str, *, is_found: bool) -> None:
    """One query answered by a client's FHIR server, or not."""
    FETCHES.labels(part, "found" if is_found else "failed").inc()


def count_refusal(reason: str) -> None:
    """One call that was refused for who made it, or for whose prediction it asked."""
    REFUSALS.labels(reason).inc()


def count_card(environment: str, service: str, indicator: str) -> None:
    """One card shown for the first time."""
    _happened.note((CARDS, (environment, service, indicator)))


def count_feedback(environment: str, service: str, outcome: str, reason: str) -> None:
    """One report on a card stored; `reason` is one the cards offer, `other` or `none`."""
    FEEDBACK.labels(environment, service, outcome, reason).inc()


def observe_writer(writer: Callable[[], Writer]) -> None:
    """Ask this writer at every scrape from now on."""
    _writer_collector.writer = writer


def exposition() -> bytes:
    """Every metric in the Prometheus text format."""
    return generate_latest(REGISTRY)
