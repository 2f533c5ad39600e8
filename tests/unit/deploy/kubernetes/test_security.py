"""What pods may do, asked of every pod that any site has."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.kubernetes.cluster import all_objects, containers, find, pod_spec, workloads
from tests.kubernetes.sites import SITES, plan_of

ENGINE = "behind-engine"


@pytest.fixture(params=SITES)
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> list[dict[str, Any]]:
    return all_objects(plan_of(tmp_path, request.param))


def test_every_pod_but_an_engines_is_restricted(objects: list[dict[str, Any]]) -> None:
    """The rules of Pod Security's "restricted", each field that it asks for."""
    for workload in workloads(objects):
        if workload["metadata"]["name"] == ENGINE:
            continue
        pod = pod_spec(workload)
        rights = pod["securityContext"]
        assert rights["runAsNonRoot"] is True
        assert rights["runAsUser"] == rights["runAsGroup"] == rights["fsGroup"]
        assert rights["runAsUser"] in {10001, 999}
        assert rights["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        for container in pod["containers"]:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False
            assert own["readOnlyRootFilesystem"] is True
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert "privileged" not in own
            assert not [port for port in container["ports"] if "hostPort" in port]
        kinds = {kind for volume in pod["volumes"] for kind in volume if kind != "name"}
        assert kinds <= {"emptyDir", "persistentVolumeClaim", "projected", "configMap"}


def test_an_engine_is_in_a_namespace_of_its_own_with_few_of_roots_rights(tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, "engine"))
    engine = find(objects, "Deployment", ENGINE)
    assert engine["metadata"]["namespace"] == "nexus-engines"
    (container,) = pod_spec(engine)["containers"]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    capabilities = container["securityContext"]["capabilities"]
    assert capabilities["drop"] == ["ALL"]
    assert set(capabilities["add"]) == {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
    assert pod_spec(engine)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_namespaces_hold_pods_to_it(tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, "engine"))
    for name, level in (("nexus", "restricted"), ("nexus-engines", "baseline")):
        labels = find(objects, "Namespace", name)["metadata"]["labels"]
        for mode in ("enforce", "audit", "warn"):
            assert labels[f"pod-security.kubernetes.io/{mode}"] == level


def test_without_an_engine_there_is_one_namespace(tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, "default"))
    assert [item["metadata"]["name"] for item in objects if item["kind"] == "Namespace"] == ["nexus"]


def test_no_pod_has_a_token_of_the_clusters_api(objects: list[dict[str, Any]]) -> None:
    accounts = {
        (item["metadata"]["namespace"], item["metadata"]["name"]): item
        for item in objects
        if item["kind"] == "ServiceAccount"
    }
    assert all(item["automountServiceAccountToken"] is False for item in accounts.values())
    for workload in workloads(objects):
        pod = pod_spec(workload)
        assert pod["automountServiceAccountToken"] is False
        assert pod["serviceAccountName"] == workload["metadata"]["name"]
        assert (workload["metadata"]["namespace"], pod["serviceAccountName"]) in accounts


def test_the_names_of_services_do_not_become_variables(objects: list[dict[str, Any]]) -> None:
    assert all(pod_spec(workload)["enableServiceLinks"] is False for workload in workloads(objects))


def test_no_secret_is_rendered_and_no_variable_holds_one(objects: list[dict[str, Any]]) -> None:
    assert "Secret" not in {item["kind"] for item in objects}
    secret = re.compile(r"KEY|PASSWORD|SECRET|TOKEN|DATABASE_URL|REDIS_URL")
    for _, container in containers(objects):
        for entry in container.get("env", []):
            if secret.search(entry["name"]) and "value" in entry:
                assert entry["name"].endswith("_FILE"), entry
                assert entry["value"].startswith("/run/nexus/")
            assert "://" not in entry.get("value", "") or "@" not in entry["value"], entry


def test_everything_that_is_written_to_is_a_volume(objects: list[dict[str, Any]]) -> None:
    for name, container in containers(objects):
        if name != ENGINE:
            paths = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
            assert "/tmp" in paths
