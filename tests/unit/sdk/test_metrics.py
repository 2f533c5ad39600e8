"""What is counted and what is read at the moment of asking, in Prometheus' format."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nexus.contract.card import Model
from nexus.sdk.metrics import Levels, Metrics


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(metrics.text().decode())
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def test_requests_and_levels() -> None:
    metrics = Metrics(lambda: Levels(2, 1, (Model(id="m", state="loading"),)))
    with metrics.request("own.do") as outcome:
        outcome.status = 200
    found = samples(metrics)
    assert found["nexus_service_requests_total", "own.do", "200"] == 1
    assert found["nexus_service_request_seconds_count", "own.do"] == 1
    assert (found["nexus_service_in_flight",], found["nexus_service_queue_length",]) == (2, 1)
    assert found["nexus_service_model_state", "m", "loading"] == 1
    assert found["nexus_service_model_state", "m", "ready"] == 0


def test_a_request_that_raises_is_a_500() -> None:
    metrics = Metrics(lambda: Levels(0, 0, ()))
    with pytest.raises(ValueError, match="x"), metrics.request("own.do"):
        raise ValueError("x")
    assert samples(metrics)["nexus_service_requests_total", "own.do", "500"] == 1
