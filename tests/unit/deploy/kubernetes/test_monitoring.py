"""What Prometheus' operator is told."""

from pathlib import Path

from tests.kubernetes.cluster import all_objects, find
from tests.kubernetes.sites import plan_of


def test_each_monitor_finds_the_one_service_of_its_name(tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, "replicas"))
    for name in ("gateway", "nexus-service"):
        spec = find(objects, "ServiceMonitor", name)["spec"]
        found = [
            item["metadata"]["name"]
            for item in objects
            if item["kind"] == "Service"
            and spec["selector"]["matchLabels"].items() <= item["metadata"]["labels"].items()
        ]
        assert found == [name]
        (port,) = find(objects, "Service", name)["spec"]["ports"]
        assert spec["endpoints"][0]["port"] == port["name"]


def test_the_gateway_is_asked_with_its_token_and_services_without(tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, "replicas"))
    (gateway,) = find(objects, "ServiceMonitor", "gateway")["spec"]["endpoints"]
    assert gateway["authorization"]["credentials"] == {"name": "nexus-keys", "key": "api_key"}
    (services,) = find(objects, "ServiceMonitor", "nexus-service")["spec"]["endpoints"]
    assert "authorization" not in services


def test_there_are_none_unless_the_site_asks(tmp_path: Path) -> None:
    assert not [item for item in all_objects(plan_of(tmp_path, "default")) if item["kind"] == "ServiceMonitor"]
