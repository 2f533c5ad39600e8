"""Autoscalers and disruption budgets."""

from pathlib import Path

import pytest

from nexus.gateway.record.metrics import Metrics as GatewayMetrics
from nexus.sdk.metrics import Levels, Metrics
from tests.kubernetes.cluster import all_objects, find, workloads
from tests.kubernetes.sites import SITES, plan_of


def test_a_service_that_may_grow_does_by_processors_and_by_what_waits(tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, "replicas"))
    spec = find(objects, "HorizontalPodAutoscaler", "plain")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 9)
    cpu, *own = spec["metrics"]
    assert cpu["resource"]["target"]["averageUtilization"] == 80
    averages = {one["pods"]["metric"]["name"]: one["pods"]["target"]["averageValue"] for one in own}
    assert averages == {"nexus_service_queue_length": "1", "nexus_service_in_flight": "3200m"}


def test_the_gateway_grows_by_its_calls(tmp_path: Path) -> None:
    spec = find(all_objects(plan_of(tmp_path, "replicas")), "HorizontalPodAutoscaler", "gateway")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 6)
    assert [one["pods"]["metric"]["name"] for one in spec["metrics"][1:]] == ["nexus_in_flight"]


def test_the_metrics_are_those_that_are_told(tmp_path: Path) -> None:
    told = Metrics(lambda: Levels(1, 2, ())).text() + GatewayMetrics(lambda: {"http://a": 1}).text()
    objects = all_objects(plan_of(tmp_path, "replicas"))
    names = {
        one["pods"]["metric"]["name"]
        for item in objects
        if item["kind"] == "HorizontalPodAutoscaler"
        for one in item["spec"]["metrics"][1:]
    }
    assert len(names) == 3
    assert all(f"\n{name}" in told.decode() for name in names)


def test_without_metrics_processors_alone_tell(tmp_path: Path) -> None:
    site = {"service": {"plain": {"max_replicas": 2}}}
    (scaler,) = [item for item in all_objects(plan_of(tmp_path, site)) if item["kind"] == "HorizontalPodAutoscaler"]
    assert [one["type"] for one in scaler["spec"]["metrics"]] == ["Resource"]


def test_a_number_is_said_once(tmp_path: Path) -> None:
    """Where an autoscaler sets the copies, the Deployment does not: applying it would undo that."""
    objects = all_objects(plan_of(tmp_path, "replicas"))
    scaled = {item["spec"]["scaleTargetRef"]["name"] for item in objects if item["kind"] == "HorizontalPodAutoscaler"}
    assert scaled == {"gateway", "plain"}
    for workload in workloads(objects):
        assert ("replicas" in workload["spec"]) == (workload["metadata"]["name"] not in scaled)


@pytest.mark.parametrize("site", SITES)
def test_each_of_the_gateway_and_services_gives_up_one_copy_at_a_time(site: str, tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, site))
    deployments = {
        item["metadata"]["name"]: item["spec"]["selector"]
        for item in objects
        if item["kind"] == "Deployment" and item["metadata"]["namespace"] == "nexus"
    }
    budgets = {item["metadata"]["name"]: item["spec"] for item in objects if item["kind"] == "PodDisruptionBudget"}
    assert set(budgets) == set(deployments)
    for name, spec in budgets.items():
        assert spec["selector"] == deployments[name]
        assert spec["maxUnavailable"] == 1
