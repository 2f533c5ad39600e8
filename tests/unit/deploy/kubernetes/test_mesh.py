"""A service mesh's part."""

import json
from pathlib import Path

from tests.kubernetes.cluster import all_objects, find, pod_spec, workloads
from tests.kubernetes.sites import plan_of


def test_istio_takes_every_pod_in_and_lets_nobody_speak_in_the_clear(tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, "istio"))
    for workload in workloads(objects):
        pod = workload["spec"]["template"]["metadata"]
        assert pod["labels"]["sidecar.istio.io/inject"] == "true"
        config = json.loads(pod["annotations"]["proxy.istio.io/config"])
        assert config["holdApplicationUntilProxyStarts"] is True
        grace = pod_spec(workload)["terminationGracePeriodSeconds"]
        assert config["terminationDrainDuration"] == f"{grace}s"
    for namespace in ("nexus", "nexus-engines"):
        policy = find(objects, "PeerAuthentication", "default", namespace)
        assert policy["spec"] == {"mtls": {"mode": "STRICT"}}


def test_the_gateways_port_alone_is_open_to_clients_without_a_certificate(tmp_path: Path) -> None:
    policies = [item for item in all_objects(plan_of(tmp_path, "istio")) if item["kind"] == "PeerAuthentication"]
    (open_one,) = [item["spec"] for item in policies if "portLevelMtls" in item["spec"]]
    assert open_one["selector"]["matchLabels"]["app.kubernetes.io/name"] == "gateway"
    assert open_one["portLevelMtls"] == {"8800": {"mode": "PERMISSIVE"}}


def test_istio_encrypts_calls_to_a_pods_own_address(tmp_path: Path) -> None:
    """As HTTP they would be routed by their `host`, which is no Service's name, and leave the mesh."""
    (port,) = find(all_objects(plan_of(tmp_path, "istio")), "Service", "nexus-service")["spec"]["ports"]
    assert port["appProtocol"] == "tcp"
    (plain,) = find(all_objects(plan_of(tmp_path, "default")), "Service", "nexus-service")["spec"]["ports"]
    assert "appProtocol" not in plain


def test_linkerd_lets_one_identity_through_to_each_port(tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, "linkerd"))
    found = workloads(objects)
    assert all(
        workload["spec"]["template"]["metadata"]["annotations"]["linkerd.io/inject"] == "enabled" for workload in found
    )
    wanted = {"services": "gateway", "postgres": "gateway", "valkey": "gateway", "behind-engine": "behind"}
    for name, caller in wanted.items():
        server = find(objects, "Server", name)
        policy = find(objects, "AuthorizationPolicy", name)
        who = find(objects, "MeshTLSAuthentication", name)
        assert policy["spec"]["targetRef"]["name"] == name
        assert policy["spec"]["requiredAuthenticationRefs"][0]["name"] == name
        assert who["spec"]["identityRefs"] == [{"kind": "ServiceAccount", "name": caller, "namespace": "nexus"}]
        chosen = [
            workload
            for workload in found
            if workload["metadata"]["namespace"] == server["metadata"]["namespace"]
            and server["spec"]["podSelector"]["matchLabels"].items()
            <= workload["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert len(chosen) == (4 if name == "services" else 1)
        for workload in chosen:
            ports = {port["name"] for port in pod_spec(workload)["containers"][0]["ports"]}
            assert server["spec"]["port"] in ports


def test_linkerd_guards_no_store_that_is_elsewhere(tmp_path: Path) -> None:
    site = {"postgres": {"external_secret": "p"}, "valkey": {"external_secret": "v"}, "cluster": {"mesh": "linkerd"}}
    objects = all_objects(plan_of(tmp_path, site))
    assert [item["metadata"]["name"] for item in objects if item["kind"] == "Server"] == ["services"]


def test_without_a_mesh_there_is_nothing_of_one(tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, "engine"))
    assert not [item for item in objects if "istio" in str(item) or "linkerd" in str(item)]
