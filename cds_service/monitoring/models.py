"""Which models answer, and which were refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cds_service.monitoring.metrics import REGISTRY

REFUSED = Counter(
    "cds_model_refused", "Times a version that should answer could not be used.", ["task"], registry=REGISTRY
)

SHADOW = Counter(
    "cds_shadow", "Predictions a challenger was to score: scored, dropped or failed.", ["outcome"], registry=REGISTRY
)


class _VersionCollector(Collector):
    """Asks which versions answer when it is scraped: each is a series of value 1, gone once another answers."""

    versions: Callable[[], Mapping[str, str | None]] | None = None

    def collect(self) -> Iterator[Metric]:
        """One series for each task with a version in force."""
        family = GaugeMetricFamily(
            "cds_model_version", "The version that answers, by task.", labels=["task", "version"]
        )
        for task, version in (self.versions() if self.versions is not None else {}).items():
            if version is not None:
                family.add_metric([task, version], 1)
        yield family


_version_collector = _VersionCollector()
REGISTRY.register(_version_collector)


def observe_models(versions: Callable[[], Mapping[str, str | None]]) -> None:
    """Ask this at every scrape from now on."""
    _version_collector.versions = versions


def count_refused_model(task: str) -> None:
    """One version refused, whose predecessor goes on."""
    REFUSED.labels(task).inc()


def count_shadow(outcome: str, number: int = 1) -> None:
    """Predictions a challenger scored, or did not: dropped for want of room or a database, or failed by it."""
    SHADOW.labels(outcome).inc(number)
