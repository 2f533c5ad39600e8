"""Counters as Prometheus reads them."""

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nexus.contract.usage import Usage
from nexus.gateway.health.circuit import State
from nexus.gateway.record.metrics import BUCKETS, Metrics
from nexus.gateway.values import Outcome, Queue

ROUTE = {"operation": "chat.completions", "service": "svc", "model": "m"}


def outcome(status: int = 200, ms: float = 10.0, **fields: Any) -> Outcome:
    named = {"model": "m", "service": "svc", **fields}
    return Outcome(1.0, "info", "request", "req-1", "administrator", "chat.completions", status, ms, **named)


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics).get((name, frozenset(labels.items())))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(dict)


def test_requests_are_counted_by_route_and_status(metrics: Metrics) -> None:
    for status in (200, 200, 502):
        metrics.add(outcome(status))
    metrics.add(outcome(404, model="", service=""))
    assert value(metrics, "nexus_requests_total", **ROUTE, status="200") == 2
    assert value(metrics, "nexus_requests_total", **ROUTE, status="502") == 1
    nobody = {"operation": "chat.completions", "service": "", "model": ""}
    assert value(metrics, "nexus_requests_total", **nobody, status="404") == 1


def test_tokens_and_further_attempts_are_added_up(metrics: Metrics) -> None:
    metrics.add(outcome(usage=Usage(7, 5), attempts=1))
    metrics.add(outcome(usage=Usage(1, 0), attempts=3))
    metrics.add(outcome(attempts=0))
    metrics.add(outcome(usage=Usage(1000, 1000, estimated=True)))  # engines have counted none of them
    assert value(metrics, "nexus_tokens_total", **ROUTE, kind="prompt") == 8
    assert value(metrics, "nexus_tokens_total", **ROUTE, kind="completion") == 5
    assert value(metrics, "nexus_further_attempts_total", **ROUTE) == 2


def test_times_fall_into_cumulative_buckets(metrics: Metrics) -> None:
    for ms in (1, 5, 6, 400_000):
        metrics.add(outcome(ms=ms))
    rows = [value(metrics, "nexus_request_seconds_bucket", **ROUTE, le=str(bound)) for bound in (*BUCKETS, "+Inf")]
    assert rows[:2] == [2, 3]
    assert rows[-2:] == [3, 4]
    assert rows == sorted(rows, key=float)  # type: ignore[arg-type]
    assert value(metrics, "nexus_request_seconds_count", **ROUTE) == 4
    assert value(metrics, "nexus_request_seconds_sum", **ROUTE) == pytest.approx(400.012)


def test_the_first_byte_is_timed_for_streams_alone(metrics: Metrics) -> None:
    metrics.add(outcome(ttft_ms=20.0, stream=True))
    metrics.add(outcome(ttft_ms=20.0))
    metrics.add(outcome(stream=True))
    assert value(metrics, "nexus_first_byte_seconds_count", **ROUTE) == 1
    assert value(metrics, "nexus_first_byte_seconds_sum", **ROUTE) == pytest.approx(0.02)


def test_calls_in_flight_are_asked_for_at_each_scrape() -> None:
    running = {"http://a:1": 2}
    metrics = Metrics(lambda: running)
    assert value(metrics, "nexus_in_flight", instance="http://a:1") == 2
    running["http://a:1"] = 0
    assert value(metrics, "nexus_in_flight", instance="http://a:1") == 0


def test_jobs_that_wait_are_told_apart_from_those_that_run() -> None:
    queue = Queue({"ocr": 3, "videos": 0}, {"ocr": 1})
    metrics = Metrics(dict, lambda: queue)
    assert value(metrics, "nexus_jobs_waiting", operation="ocr") == 3
    assert value(metrics, "nexus_jobs_waiting", operation="videos") == 0
    assert value(metrics, "nexus_jobs_running", operation="ocr") == 1
    assert value(metrics, "nexus_jobs_running", operation="videos") is None


@pytest.mark.parametrize("number", [1, 31, 32, 33, 100])
def test_however_many_have_ended_all_of_them_are_told(metrics: Metrics, number: int) -> None:
    for _ in range(number):
        metrics.add(outcome(200, queued_ms=2.0, priority="batch"))
    for _ in range(2):
        assert value(metrics, "nexus_requests_total", **ROUTE, status="200") == number
        assert value(metrics, "nexus_queue_wait_seconds_count", priority="batch") == number


def test_the_process_is_measured(metrics: Metrics) -> None:
    assert (value(metrics, "process_resident_memory_bytes") or 0) > 1_000_000


def test_odd_names_are_escaped() -> None:
    metrics = Metrics(dict)
    metrics.add(outcome(model='a"b\\c'))
    assert value(metrics, "nexus_requests_total", **(ROUTE | {"model": 'a"b\\c'}), status="200") == 1


def test_a_gateway_that_served_nothing_has_a_page() -> None:
    assert b"# TYPE nexus_requests_total counter" in Metrics(dict).text()


@pytest.mark.parametrize(("shared", "told"), [(None, None), (lambda: True, 1), (lambda: False, 0)])
def test_whether_limits_are_shared(shared: Any, told: int | None) -> None:
    assert value(Metrics(dict, shared=shared), "nexus_limits_shared") == told


def test_circuits_that_are_not_closed_are_told() -> None:
    tripped = [("http://a:1", "*", State.OPEN), ("http://b:1", "m", State.HALF_OPEN)]
    metrics = Metrics(dict, tripped=lambda: tripped)
    assert value(metrics, "nexus_circuit_open", instance="http://a:1", model="*") == 1
    assert value(metrics, "nexus_circuit_open", instance="http://b:1", model="m") == 0.5


def test_calls_that_wait_and_how_long_they_did() -> None:
    metrics = Metrics(dict, waiting=lambda: {("chat.completions", "svc", "m", "batch"): 3})
    metrics.add(outcome(queued_ms=200.0, priority="batch"))
    metrics.add(outcome(503, queued_ms=700.0, priority="batch"))
    metrics.add(outcome())
    assert value(metrics, "nexus_queue_waiting", **ROUTE, priority="batch") == 3
    assert value(metrics, "nexus_queue_wait_seconds_count", priority="batch") == 2
    assert value(metrics, "nexus_queue_wait_seconds_bucket", priority="batch", le="0.25") == 1
    assert value(metrics, "nexus_queue_wait_seconds_sum", priority="batch") == 0.9


def test_second_attempts_beside_a_slow_first() -> None:
    hedged = {("embeddings", "won"): 3, ("embeddings", "lost"): 1}
    metrics = Metrics(dict, hedged=lambda: hedged)
    assert value(metrics, "nexus_hedged_total", operation="embeddings", result="won") == 3
    assert value(metrics, "nexus_hedged_total", operation="embeddings", result="lost") == 1
