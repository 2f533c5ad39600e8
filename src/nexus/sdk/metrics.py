"""What `/metrics` tells, in a registry of the service's own."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nexus.contract.card import Model, ModelState

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


@dataclass(slots=True)
class Outcome:
    """How a request ended; 499 when the caller left before its answer."""

    status: int = 500


@dataclass(frozen=True, slots=True)
class Levels:
    """What is read at the moment of asking, rather than counted."""

    in_flight: int
    queued: int
    models: tuple[Model, ...]


class Metrics:
    """Requests, their time, what is in flight and queued, and the models' states."""

    def __init__(self, levels: Callable[[], Levels]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(
            "nexus_service_requests",
            "Requests by operation and status",
            ("operation", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "nexus_service_request_seconds",
            "Time from a request's head to the end of its answer",
            ("operation",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._registry.register(_LevelsCollector(levels))
        ProcessCollector(registry=self._registry)

    @contextmanager
    def request(self, operation: str) -> Iterator[Outcome]:
        """Count one request when it ends, by the status that the outcome was given."""
        outcome = Outcome()
        start = time.perf_counter()
        try:
            yield outcome
        finally:
            self._requests.labels(operation, str(outcome.status)).inc()
            self._seconds.labels(operation).observe(time.perf_counter() - start)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)


class _LevelsCollector(Collector):
    def __init__(self, levels: Callable[[], Levels]) -> None:
        self._levels = levels

    def collect(self) -> Iterable[Metric]:
        levels = self._levels()
        yield GaugeMetricFamily("nexus_service_in_flight", "Calls being answered", value=levels.in_flight)
        yield GaugeMetricFamily("nexus_service_queue_length", "Calls waiting for a place", value=levels.queued)
        states = GaugeMetricFamily("nexus_service_model_state", "1 for the model's state", labels=("model", "state"))
        for model in levels.models:
            for state in get_args(ModelState):
                states.add_metric((model.id, state), float(model.state == state))
        yield states
