"""Deployments: probes, amounts, ends, places."""

from pathlib import Path
from typing import Any

import pytest

from nexus.deploy.kubernetes.workloads import grace
from nexus.deploy.plan import Plan
from nexus.deploy.site import SiteError
from nexus.sdk.environment import read_settings
from nexus.sdk.manifest import read_manifest
from tests.kubernetes.cluster import all_objects, containers, find, pod_spec, workloads
from tests.kubernetes.sites import SITES, plan_of


def service(plan: Plan, name: str) -> dict[str, Any]:
    (container,) = pod_spec(find(all_objects(plan), "Deployment", name))["containers"]
    return container


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}


@pytest.mark.parametrize("site", SITES)
def test_every_container_is_probed_at_a_port_that_it_has(site: str, tmp_path: Path) -> None:
    for name, container in containers(all_objects(plan_of(tmp_path, site))):
        ports = {port["name"] for port in container["ports"]}
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            probe = container[kind]
            where = probe.get("httpGet") or probe.get("tcpSocket")
            assert where is None or where["port"] in ports, name
            assert where is not None or probe["exec"]["command"], name


def test_a_service_says_by_its_own_words_whether_it_lives_and_is_ready(tmp_path: Path) -> None:
    container = service(plan_of(tmp_path, "default"), "plain")
    assert container["livenessProbe"]["httpGet"]["path"] == container["startupProbe"]["httpGet"]["path"] == "/health"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


@pytest.mark.parametrize("site", SITES)
def test_memory_is_what_the_manifest_says_and_processors_have_no_limit(site: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, site)
    objects = all_objects(plan)
    names = {workload["metadata"]["name"] for workload in workloads(objects)}
    units = [unit for unit in plan.units if unit.folder in names]
    assert len(units) >= 3
    for unit in units:
        amounts = service(plan, unit.folder)["resources"]
        assert amounts["limits"]["memory"] == amounts["requests"]["memory"] == f"{unit.memory_mb}Mi"
    for _, container in containers(objects):
        assert "cpu" not in container["resources"]["limits"]
        assert {"cpu", "memory", "ephemeral-storage"} <= set(container["resources"]["requests"])


def test_parts_of_processors_are_thousandths(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "default")
    assert service(plan, "asking")["resources"]["requests"]["cpu"] == "500m"
    assert service(plan, "plain")["resources"]["requests"]["cpu"] == "2"


def test_a_pod_outlives_its_services_drain(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "replicas")
    assert variables(service(plan, "plain"))["NEXUS_DRAIN_SECONDS"] == "90.5"
    assert pod_spec(find(all_objects(plan), "Deployment", "plain"))["terminationGracePeriodSeconds"] == 106
    for unit in plan.units:
        drain = float(variables(service(plan, unit.folder))["NEXUS_DRAIN_SECONDS"]) if unit.profile is None else 0
        assert grace(unit) > drain


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "99999"])
def test_a_drain_that_is_no_number_of_seconds_is_refused(text: str, tmp_path: Path) -> None:
    site = {"service": {"plain": {"env": {"NEXUS_DRAIN_SECONDS": text}}}}
    with pytest.raises(SiteError, match=r"service\.plain\.env\.NEXUS_DRAIN_SECONDS"):
        all_objects(plan_of(tmp_path, site))


def test_an_instance_goes_by_its_pods_name_and_listens_for_the_gateway(tmp_path: Path) -> None:
    container = service(plan_of(tmp_path, "default"), "plain")
    told = variables(container)
    assert (told["NEXUS_SERVICE_HOST"], told["NEXUS_SERVICE_PORT"]) == ("0.0.0.0", "8000")
    (named,) = [entry for entry in container["env"] if entry["name"] == "NEXUS_SERVICE_INSTANCE"]
    assert named["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


@pytest.mark.parametrize(("site", "name"), [("replicas", "plain"), ("default", "keeping"), ("engine", "behind")])
def test_a_service_takes_its_variables(site: str, name: str, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, site)
    told = variables(service(plan, name))
    settings = read_settings(read_manifest(tmp_path / name), {**told, "NEXUS_SERVICE_INSTANCE": f"{name}-x1"})
    assert (settings.host, settings.port, settings.instance) == ("0.0.0.0", 8000, f"{name}-x1")
    assert str(settings.models_cache) == "/var/cache/nexus"
    assert settings.drain_seconds == float(told["NEXUS_DRAIN_SECONDS"])
    if name == "behind":
        assert settings.config["BEHIND_URL"] == "http://behind-engine.nexus-engines:11434"


def test_a_services_secret_comes_from_a_secret_that_need_not_be_there(tmp_path: Path) -> None:
    (entry,) = [one for one in service(plan_of(tmp_path, "default"), "keeping")["env"] if one["name"] == "KEEPING_KEY"]
    assert entry["valueFrom"]["secretKeyRef"] == {"name": "keeping-secrets", "key": "KEEPING_KEY", "optional": True}


def test_a_service_is_told_where_its_engine_is(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "engine")
    assert variables(service(plan, "behind"))["BEHIND_URL"] == "http://behind-engine.nexus-engines:11434"
    engine = service(plan, "behind-engine")
    assert engine["args"] == ["serve", "--port=11434"]
    assert engine["livenessProbe"]["httpGet"]["path"] == "/api/version"
    assert engine["resources"]["limits"]["memory"] == "8192Mi"


def test_gpus_are_asked_for_where_the_engine_is_with_its_nodes_and_tolerations(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "gpu")
    objects = all_objects(plan)
    plain = pod_spec(find(objects, "Deployment", "plain"))
    assert plain["nodeSelector"] == {"kubernetes.io/hostname": "box-1"}
    assert plain["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    amounts = plain["containers"][0]["resources"]
    assert amounts["limits"]["nvidia.com/gpu"] == amounts["requests"]["nvidia.com/gpu"] == 2
    engine = pod_spec(find(objects, "Deployment", "behind-engine"))
    assert engine["containers"][0]["image"] == "some/engine:1-rocm"
    assert engine["containers"][0]["resources"]["limits"]["amd.com/gpu"] == 1
    assert engine["nodeSelector"] == {"gpu": "big"}
    assert "amd.com/gpu" not in service(plan, "behind")["resources"]["limits"]
    assert "tolerations" not in pod_spec(find(objects, "Deployment", "asking"))


@pytest.mark.parametrize(("name", "surge"), [("plain", 0), ("asking", 1), ("keeping", 0), ("behind-engine", 0)])
def test_what_has_a_gpu_or_a_volume_ends_before_its_successor_starts(name: str, surge: int, tmp_path: Path) -> None:
    strategy = find(all_objects(plan_of(tmp_path, "gpu")), "Deployment", name)["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": surge, "maxUnavailable": 1 - surge}


@pytest.mark.parametrize("site", SITES)
def test_deployments_select_their_own_pods_and_spread_them(site: str, tmp_path: Path) -> None:
    found = workloads(all_objects(plan_of(tmp_path, site)))
    for workload in found:
        wanted = workload["spec"]["selector"]["matchLabels"]
        selected = [
            other["metadata"]["name"]
            for other in found
            if wanted.items() <= other["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert selected == [workload["metadata"]["name"]]
        if workload["kind"] == "Deployment":
            (spread,) = pod_spec(workload)["topologySpreadConstraints"]
            assert spread["labelSelector"]["matchLabels"] == wanted
