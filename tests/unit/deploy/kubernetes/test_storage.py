"""Volumes and claims."""

from pathlib import Path

import pytest

from tests.kubernetes.cluster import all_objects, find, pod_spec, workloads
from tests.kubernetes.sites import SITES, plan_of


@pytest.mark.parametrize("site", SITES)
def test_every_mount_has_a_volume_and_every_claim_is_made(site: str, tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, site))
    claims = {
        (item["metadata"]["namespace"], item["metadata"]["name"])
        for item in objects
        if item["kind"] == "PersistentVolumeClaim"
    }
    mounted = set()
    for workload in workloads(objects):
        pod = pod_spec(workload)
        own = {volume["name"] for volume in pod.get("volumes", [])}
        own |= {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
        assert {mount["name"] for mount in pod["containers"][0].get("volumeMounts", [])} == own
        mounted |= {
            (workload["metadata"]["namespace"], volume["persistentVolumeClaim"]["claimName"])
            for volume in pod.get("volumes", [])
            if "persistentVolumeClaim" in volume
        }
    assert mounted == claims


def test_models_are_read_only_and_a_service_that_fetches_any_keeps_them(tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, "default"))
    (container,) = pod_spec(find(objects, "Deployment", "keeping"))["containers"]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert mounts["/models"] == {"name": "keeping-models", "mountPath": "/models", "readOnly": True}
    assert mounts["/var/cache/nexus"]["name"] == "keeping-cache"
    assert {"name": "NEXUS_MODELS_DIR", "value": "/models"} in container["env"]
    plain = pod_spec(find(objects, "Deployment", "plain"))
    assert {"name": "cache", "emptyDir": {"sizeLimit": "4Gi"}} in plain["volumes"]


@pytest.mark.parametrize(("site", "access"), [("default", "ReadWriteOnce"), ("replicas", "ReadWriteMany")])
def test_claims_are_shared_where_there_are_several_copies(site: str, access: str, tmp_path: Path) -> None:
    claim = find(all_objects(plan_of(tmp_path, site)), "PersistentVolumeClaim", "keeping-voices")
    assert claim["spec"]["accessModes"] == [access]


def test_the_storage_class_is_named_where_the_site_names_one(tmp_path: Path) -> None:
    for site, wanted in (("ingress", "fast"), ("default", None)):
        objects = all_objects(plan_of(tmp_path, site))
        assert find(objects, "PersistentVolumeClaim", "gateway-files")["spec"].get("storageClassName") == wanted
        disk = find(objects, "StatefulSet", "postgres")["spec"]["volumeClaimTemplates"][0]
        assert disk["spec"].get("storageClassName") == wanted
