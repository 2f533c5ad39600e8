"""What a container may do, looked at from inside each of them, and what of the secrets can be seen from outside."""

import json
import re
import subprocess
import tomllib
from typing import Any

import httpx
import pytest

from tests.containers.compose import ROOT, Project, docker, service_of, until

NAMES = """
import socket
for name in ("gateway", "postgres", "valkey"):
    try:
        socket.gethostbyname(name)
        print(name)
    except OSError:
        pass
"""
STORES = {"postgres": "999", "valkey": "999"}
OTHERS = {"gateway": 1024, "postgres": 512, "valkey": 512}
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/service.toml"))


@pytest.fixture(scope="module")
def running(stack: Project) -> list[dict[str, Any]]:
    return stack.containers()


def status_of(stack: Project, container: dict[str, Any]) -> list[dict[str, str]]:
    """/proc/PID/status of a container's processes, but for the one that looks, which the engine put in from outside."""
    text = stack.inside(container, "sh", "-c", "for f in /proc/[0-9]*/status; do cat $f; echo; done")
    found = [dict(re.findall(r"^(\w+):\s+(.*)$", one, re.MULTILINE)) for one in text.split("\n\n") if one.strip()]
    looking = {one["Pid"] for one in found if one["PPid"] == "0" and one["Pid"] != "1"}
    return [one for one in found if not {one["Pid"], one["PPid"]} & looking]


def test_all_that_belongs_to_the_stack_runs(running: list[dict[str, Any]]) -> None:
    profiles = {name for name in SERVICES if "profile" in _manifest(name).get("deploy", {})}
    assert {service_of(one) for one in running} == {"gateway", *STORES, *SERVICES} - profiles


def test_no_process_has_a_right_that_it_does_not_need(stack: Project, running: list[dict[str, Any]]) -> None:
    for container in running:
        uid = STORES.get(service_of(container), "10001")
        for process in status_of(stack, container):
            assert process["Uid"].split() == [uid] * 4, service_of(container)
            assert (int(process["CapEff"], 16), int(process["CapBnd"], 16)) == (0, 0), service_of(container)
            assert process["NoNewPrivs"] == "1", service_of(container)
            assert process["Seccomp"] == "2", service_of(container)


def test_the_root_cannot_be_written(stack: Project, running: list[dict[str, Any]]) -> None:
    for container in running:
        tried = stack.inside(
            container, "sh", "-c", "for d in / /etc /usr /opt; do touch $d/x 2>&1; done; touch /tmp/x && echo fine"
        )
        assert tried.count("Read-only file system") == 4, (service_of(container), tried)
        assert tried.endswith("fine\n")


def test_memory_is_bounded_as_the_manifest_says(stack: Project, running: list[dict[str, Any]]) -> None:
    read = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
    for container in running:
        name = service_of(container)
        wanted = _manifest(name)["resources"]["memory_mb"] if name in SERVICES else OTHERS[name]
        assert int(stack.inside(container, "sh", "-c", read)) == wanted * 2**20, name


def test_only_the_gateway_is_published_and_the_host_has_no_other_way_in(running: list[dict[str, Any]]) -> None:
    """No port, and no address of the host's in the services' and the stores' networks: so no way in, and none out."""
    published = {service_of(one) for one in running if any(one["NetworkSettings"]["Ports"].values())}
    assert published == {"gateway"}
    addresses = json.loads(subprocess.run(["ip", "-json", "-4", "address"], capture_output=True, check=True).stdout)
    ours = {info["local"].rpartition(".")[0] for link in addresses for info in link["addr_info"]}
    shut_in = {
        network["IPAddress"].rpartition(".")[0]
        for one in running
        for name, network in one["NetworkSettings"]["Networks"].items()
        if name.endswith(("_services", "_stores"))
    }
    assert shut_in
    assert not shut_in & ours


def test_services_do_not_know_the_stores(stack: Project) -> None:
    (service,) = stack.containers("embeddings")
    assert stack.inside(service, "python", "-c", NAMES).split() == ["gateway"]


def test_no_secret_can_be_seen_in_inspect_in_history_or_in_the_logs(
    stack: Project, running: list[dict[str, Any]]
) -> None:
    (gateway,) = stack.containers("gateway")
    key, database, redis = (
        stack.inside(gateway, "cat", f"/run/nexus/gateway/{name}").strip()
        for name in ("api_key", "database_url", "redis_url")
    )
    secrets = (key, re.findall(r"nexus:(.+)@", database)[0], re.findall(r":(.+)@", redis.removeprefix("redis://"))[0])
    assert all(len(one) > 30 for one in secrets)
    seen = json.dumps(running) + stack.compose("logs", "--no-log-prefix")
    images = {one["Image"] for one in running}
    seen += "".join(docker("history", "--no-trunc", image) + docker("inspect", image) for image in images)
    assert not [one for one in secrets if one in seen]


def test_keys_are_their_readers_alone(stack: Project, running: list[dict[str, Any]]) -> None:
    mounted = {
        service_of(one): sorted(
            mount["Name"].split("_")[1] for mount in one["Mounts"] if mount.get("Name", "").endswith("-keys")
        )
        for one in running
    }
    assert {name: keys for name, keys in mounted.items() if keys} == {
        "gateway": ["gateway-keys"],
        "postgres": ["postgres-keys"],
        "valkey": ["valkey-keys"],
    }


def test_health_is_what_the_engine_sees(stack: Project, http: httpx.Client) -> None:
    def all_healthy() -> bool:
        return {one["State"]["Health"]["Status"] for one in stack.containers()} == {"healthy"}

    until(all_healthy, "every container is healthy")
    assert {service["state"] for service in http.get("/v1/services").json()["data"]} == {"ready"}


def _manifest(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / "services" / name / "service.toml").read_text(encoding="utf-8"))
