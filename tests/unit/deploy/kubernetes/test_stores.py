"""PostgreSQL and Valkey in the cluster, or elsewhere."""

from pathlib import Path

import pytest

from nexus.deploy.compose.stores import postgres, valkey
from nexus.deploy.secrets import ensure_secrets
from tests.kubernetes.cluster import all_objects, find, pod_spec
from tests.kubernetes.sites import plan_of


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_a_store_is_one_pod_with_a_name_and_runs_as_its_images_own_user(name: str, tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, "default"))
    store = find(objects, "StatefulSet", name)
    assert (store["spec"]["replicas"], store["spec"]["serviceName"]) == (1, name)
    assert pod_spec(store)["securityContext"]["runAsUser"] == 999
    assert find(objects, "Service", name)["spec"]["ports"][0]["targetPort"] == name


def test_images_are_those_of_compose_unless_the_site_names_others(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "default")
    for name, part in (("postgres", postgres(plan)), ("valkey", valkey(plan))):
        (container,) = pod_spec(find(all_objects(plan), "StatefulSet", name))["containers"]
        assert container["image"] == part["image"]
    other = plan_of(tmp_path, {"postgres": {"image": "our/postgres:1", "memory_mb": 2048, "disk": "1Ti"}})
    store = find(all_objects(other), "StatefulSet", "postgres")
    (container,) = pod_spec(store)["containers"]
    assert (container["image"], container["resources"]["limits"]["memory"]) == ("our/postgres:1", "2048Mi")
    assert store["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == "1Ti"


def test_stores_read_their_passwords_from_files_that_the_command_makes(tmp_path: Path) -> None:
    made = {path.name for path in ensure_secrets(tmp_path / "keys")}
    objects = all_objects(plan_of(tmp_path, "default"))
    for name, key, file in (("postgres", "postgres_password", "password"), ("valkey", "valkey.conf", "valkey.conf")):
        pod = pod_spec(find(objects, "StatefulSet", name))
        (keys,) = [volume["projected"]["sources"] for volume in pod["volumes"] if volume["name"] == "keys"]
        assert keys == [{"secret": {"name": "nexus-keys", "items": [{"key": key, "path": file}]}}]
        assert file in made


def test_valkey_leaves_a_quarter_of_its_memory_to_the_rest(tmp_path: Path) -> None:
    (container,) = pod_spec(find(all_objects(plan_of(tmp_path, "default")), "StatefulSet", "valkey"))["containers"]
    assert container["args"][-2:] == ["--maxmemory", "384mb"]


def test_a_store_that_is_elsewhere_is_not_run(tmp_path: Path) -> None:
    objects = all_objects(plan_of(tmp_path, "external"))
    assert not [item for item in objects if item["kind"] == "StatefulSet"]
    assert not [item for item in objects if item["metadata"]["name"] in {"postgres", "valkey"}]
