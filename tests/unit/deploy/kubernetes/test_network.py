"""Who may talk to whom, asked of the rendered policies for every pair of pods."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes.cluster import Network, Pod, all_objects, find
from tests.kubernetes.sites import SITES, plan_of

OUTSIDE = Pod("somebody", address="203.0.113.7")
METADATA = Pod("credentials", address="169.254.169.254")
STRANGER = Pod("stranger", "elsewhere", {"nexus.dev/service": "true", "app.kubernetes.io/name": "gateway"})
PROMETHEUS = Pod("prometheus", "monitoring", {})
DNS = Pod("dns", "kube-system", {})
PORTS = {"gateway": 8800, "postgres": 5432, "valkey": 6379, "behind-engine": 11434}


def network(folder: Path, site: str | Mapping[str, Any]) -> Network:
    return Network(all_objects(plan_of(folder, site)), {"monitoring": {"nexus.dev/scrapes": "true"}})


def test_the_only_ways_are_those_written_here(tmp_path: Path) -> None:
    pods = network(tmp_path, "engine").pods
    ways = {
        (source, target)
        for source in pods
        for target in pods
        if source != target and network(tmp_path, "engine").allows(pods[source], pods[target], PORTS.get(target, 8000))
    }
    services = {"plain", "asking", "keeping", "behind"}
    assert ways == {
        *(("gateway", name) for name in services),
        ("gateway", "postgres"),
        ("gateway", "valkey"),
        ("asking", "gateway"),
        ("behind", "behind-engine"),
    }


@pytest.mark.parametrize("peer", [OUTSIDE, STRANGER, PROMETHEUS])
@pytest.mark.parametrize("site", SITES)
def test_only_the_gateway_is_reached_from_outside(site: str, peer: Pod, tmp_path: Path) -> None:
    cluster = network(tmp_path, site)
    port = SITES[site].get("gateway", {}).get("port", 8800)
    assert cluster.allows(peer, cluster.pods["gateway"], port)
    scraped = peer is PROMETHEUS and SITES[site].get("cluster", {}).get("metrics", False)
    for name, pod in cluster.pods.items():
        if name != "gateway":
            is_service = pod.labels is not None and "nexus.dev/service" in pod.labels
            assert cluster.allows(peer, pod, PORTS.get(name, 8000)) == (scraped and is_service), name


def test_the_gateway_is_reached_at_its_port_alone(tmp_path: Path) -> None:
    cluster = network(tmp_path, "default")
    assert not cluster.allows(OUTSIDE, cluster.pods["gateway"], 22)


@pytest.mark.parametrize(
    ("site", "free"),
    [
        ("engine", {"keeping", "behind-engine"}),
        ("external", {"keeping", "gateway"}),
        ("replicas", {"keeping", "gateway"}),
    ],
)
def test_who_reaches_addresses_outside(site: str, free: set[str], tmp_path: Path) -> None:
    cluster = network(tmp_path, site)
    for port in (53, 443, 8000, 8800, 11434):
        assert {name for name, pod in cluster.pods.items() if cluster.allows(pod, OUTSIDE, port)} == free
    assert not [name for name, pod in cluster.pods.items() if cluster.allows(pod, METADATA, 80)]


@pytest.mark.parametrize("site", SITES)
def test_everybody_asks_for_names_and_nobody_else_of_the_cluster(site: str, tmp_path: Path) -> None:
    cluster = network(tmp_path, site)
    for pod in cluster.pods.values():
        assert cluster.allows(pod, DNS, 53, "UDP")
        assert cluster.allows(pod, DNS, 53)
        assert cluster.allows(pod, Pod("dns on the node", address="169.254.20.10"), 53, "UDP")
        assert not cluster.allows(pod, DNS, 443)
        assert not cluster.allows(pod, PROMETHEUS, 9090)


@pytest.mark.parametrize(("mesh", "control"), [("istio", "istio-system"), ("linkerd", "linkerd")])
def test_proxies_of_a_mesh_reach_its_control_plane(mesh: str, control: str, tmp_path: Path) -> None:
    cluster, plain = network(tmp_path, mesh), network(tmp_path, "engine")
    where = Pod("control", control, {})
    assert all(cluster.allows(pod, where, 15012) for pod in cluster.pods.values())
    assert not any(plain.allows(pod, where, 15012) for pod in plain.pods.values())


def test_linkerds_proxies_reach_one_another_where_their_pods_may(tmp_path: Path) -> None:
    pods = network(tmp_path, "linkerd").pods
    cluster = network(tmp_path, "linkerd")
    assert cluster.allows(pods["gateway"], pods["postgres"], 4143)
    assert not cluster.allows(pods["plain"], pods["postgres"], 4143)


def test_the_name_of_all_services_tells_of_those_not_ready_too(tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, "engine"))
    spec = find(objects, "Service", "nexus-service")["spec"]
    assert (spec["clusterIP"], spec["publishNotReadyAddresses"]) == ("None", True)
    selected = {
        name for name, pod in Network(objects, {}).pods.items() if spec["selector"].items() <= pod.labels.items()
    }
    assert selected == {"plain", "asking", "keeping", "behind"}


def test_every_service_object_finds_the_pods_of_its_name(tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, "engine"))
    pods = Network(objects, {}).pods
    names = [item for item in objects if item["kind"] == "Service" and item["metadata"]["name"] != "nexus-service"]
    assert {item["metadata"]["name"] for item in names} == {"gateway", "postgres", "valkey", "behind-engine"}
    for item in names:
        found = [pod for pod in pods.values() if item["spec"]["selector"].items() <= pod.labels.items()]
        assert [(pod.name, pod.namespace) for pod in found] == [
            (item["metadata"]["name"], item["metadata"]["namespace"])
        ]
