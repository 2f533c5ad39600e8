"""Counters of the request path, kept as plain numbers and turned into Prometheus' words only when scraped.

Seam of prometheus-client. Requests are counted a few at a time, which is cheaper than one by one, and in any case
before anybody is told; labels are bounded: models and services are those that exist, never what a client made up.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector

from nexus.gateway.health.circuit import State
from nexus.gateway.values import Outcome, Queue

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_BUCKETS_MS: Final = tuple(bound * 1000 for bound in BUCKETS)
_ROUTE: Final = ("operation", "service", "model")
_AT_ONCE: Final = 32  # requests that are counted in one go


class _Histogram:
    __slots__ = ("counts", "total_ms")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total_ms = 0.0

    def observe(self, ms: float) -> None:
        self.counts[bisect_left(_BUCKETS_MS, ms)] += 1
        self.total_ms += ms

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative, as Prometheus wants them."""
        running, rows = 0, []
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), self.counts, strict=True):
            running += count
            rows.append((bound, float(running)))
        return rows


class _Route:
    """The numbers of one (operation, service, model)."""

    __slots__ = ("attempts", "completion_tokens", "first_byte", "prompt_tokens", "seconds", "statuses")

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.seconds = _Histogram()
        self.first_byte = _Histogram()
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.attempts = 0


def _none_tripped() -> Iterable[tuple[str, str, State]]:
    return ()


class Metrics:
    """Add outcomes, scrape text.

    `in_flight` gives the running calls by instance, `queue` the jobs, `tripped` the circuits that are not closed:
    instance, model (`*` for all of it) and state; `waiting` the calls that wait by operation, service, model, priority.
    `shared` tells whether limits are shared with other gateways now; None: they are not to be.
    `hedged` are the second attempts beside a first, by operation and result.
    """

    def __init__(
        self,
        in_flight: Callable[[], Mapping[str, int]],
        queue: Callable[[], Queue] = Queue,
        tripped: Callable[[], Iterable[tuple[str, str, State]]] = _none_tripped,
        waiting: Callable[[], Mapping[tuple[str, str, str, str], int]] = dict,
        shared: Callable[[], bool] | None = None,
        hedged: Callable[[], Mapping[tuple[str, str], int]] = dict,
    ) -> None:
        self._in_flight = in_flight
        self._queue = queue
        self._tripped = tripped
        self._waiting = waiting
        self._shared = shared
        self._hedged = hedged
        self._waits: dict[str, _Histogram] = {}
        self._routes: dict[tuple[str, str, str], _Route] = {}
        self._ended: list[Outcome] = []
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def add(self, outcome: Outcome) -> None:
        """Count one finished request."""
        ended = self._ended
        ended.append(outcome)
        if len(ended) >= _AT_ONCE:
            self._count()

    def _count(self) -> None:
        """Count those that have ended since the last time."""
        ended, self._ended = self._ended, []
        routes = self._routes
        for outcome in ended:
            key = (outcome.operation, outcome.service, outcome.model)
            route = routes.get(key)
            if route is None:
                route = routes[key] = _Route()
            route.statuses[outcome.status] = route.statuses.get(outcome.status, 0) + 1
            route.seconds.observe(outcome.ms)
            if outcome.stream and outcome.ttft_ms is not None:
                route.first_byte.observe(outcome.ttft_ms)
            usage = outcome.usage
            if usage is not None and not usage.estimated:
                route.prompt_tokens += usage.prompt_tokens
                route.completion_tokens += usage.completion_tokens
            if outcome.queued_ms is not None:
                waits = self._waits.get(outcome.priority)
                if waits is None:
                    waits = self._waits[outcome.priority] = _Histogram()
                waits.observe(outcome.queued_ms)
            if outcome.attempts > 1:
                route.attempts += outcome.attempts - 1

    def text(self) -> bytes:
        """The exposition text."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Called by prometheus-client at every scrape."""
        self._count()
        yield from self._requests()
        yield self._histogram("nexus_request_seconds", "Time to the end of the answer.", lambda route: route.seconds)
        yield self._histogram(
            "nexus_first_byte_seconds", "Time to the first byte of a streamed answer.", lambda route: route.first_byte
        )
        running = GaugeMetricFamily("nexus_in_flight", "Calls in flight at an instance.", labels=("instance",))
        for url, count in self._in_flight().items():
            running.add_metric((url,), count)
        yield running
        circuits = GaugeMetricFamily(
            "nexus_circuit_open",
            "Circuits that are not closed: 1 open, 0.5 half-open; the model is * for a whole instance.",
            labels=("instance", "model"),
        )
        for url, model, state in self._tripped():
            circuits.add_metric((url, model), 1.0 if state is State.OPEN else 0.5)
        yield circuits
        yield from self._jobs(self._queue())
        yield from self._queued()
        yield self._hedges()
        if self._shared is not None:
            text = "1 while limits are counted together with other gateways, 0 while Redis is away."
            yield GaugeMetricFamily("nexus_limits_shared", text, value=self._shared())

    def _hedges(self) -> Metric:
        hedged = CounterMetricFamily(
            "nexus_hedged",
            "Second attempts beside a slow first, by whose answer was kept.",
            labels=("operation", "result"),
        )
        for key, count in self._hedged().items():
            hedged.add_metric(key, count)
        return hedged

    def _jobs(self, queue: Queue) -> Iterable[Metric]:
        """Two families, because they are added up differently where several gateways share a database."""
        waiting = GaugeMetricFamily(
            "nexus_jobs_waiting",
            "Jobs that wait in the database: the same at each gateway that shares it (take the max).",
            labels=("operation",),
        )
        running = GaugeMetricFamily(
            "nexus_jobs_running", "Jobs that this gateway runs (take the sum).", labels=("operation",)
        )
        for family, counts in ((waiting, queue.waiting), (running, queue.running)):
            for operation, count in counts.items():
                family.add_metric((operation,), count)
        return waiting, running

    def _queued(self) -> Iterable[Metric]:
        waiting = GaugeMetricFamily(
            "nexus_queue_waiting", "Calls that wait for a place at a service.", labels=(*_ROUTE, "priority")
        )
        for key, count in self._waiting().items():
            waiting.add_metric(key, count)
        waits = HistogramMetricFamily(
            "nexus_queue_wait_seconds", "How long calls waited that had to, whatever came of it.", labels=("priority",)
        )
        for priority, histogram in self._waits.items():
            waits.add_metric((priority,), histogram.buckets(), histogram.total_ms / 1000)
        return waiting, waits

    def _requests(self) -> Iterable[Metric]:
        requests = CounterMetricFamily("nexus_requests", "Requests ended, by status.", labels=(*_ROUTE, "status"))
        tokens = CounterMetricFamily("nexus_tokens", "Tokens, as engines count them.", labels=(*_ROUTE, "kind"))
        again = CounterMetricFamily("nexus_further_attempts", "Attempts after the first.", labels=_ROUTE)
        for key, route in self._routes.items():
            for status, count in route.statuses.items():
                requests.add_metric((*key, str(status)), count)
            tokens.add_metric((*key, "prompt"), route.prompt_tokens)
            tokens.add_metric((*key, "completion"), route.completion_tokens)
            again.add_metric(key, route.attempts)
        return requests, tokens, again

    def _histogram(self, name: str, text: str, pick: Callable[[_Route], _Histogram]) -> Metric:
        family = HistogramMetricFamily(name, text, labels=_ROUTE)
        for key, route in self._routes.items():
            histogram = pick(route)
            family.add_metric(key, histogram.buckets(), histogram.total_ms / 1000)
        return family
