"""The stack while it changes: copies come and go, a service is added, containers and the gateway are killed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.containers.compose import Project, ready_instances, until
from tests.containers.conftest import build
from tests.containers.traffic import embeddings_under_way

KILL = """
import os
for name in os.listdir("/proc"):
    if name.isdigit() and int(name) > 1 and int(name) != os.getpid():
        os.kill(int(name), 9)
"""


@contextmanager
def copies(stack: Project, number: int) -> Iterator[None]:
    """So many copies of the embeddings service, and one afterwards."""
    scale(stack, number)
    try:
        yield
    finally:
        scale(stack, 1)


def scale(stack: Project, number: int) -> None:
    words = ["up", "--detach", "--no-recreate", "--no-deps", "--wait", "--scale", f"embeddings={number}", "embeddings"]
    stack.compose(*words)


def test_scaling_up_and_down_under_load_loses_nothing(stack: Project, http: httpx.Client) -> None:
    with embeddings_under_way(stack) as traffic:
        with copies(stack, 3):
            until(lambda: len(ready_instances(http, "embeddings")) == 3, "three copies")
            before = dict(traffic.instances)
            until(
                lambda: sum(traffic.instances[name] > before.get(name, 0) for name in traffic.instances) == 3,
                "all three answer",
            )
        until(lambda: len(ready_instances(http, "embeddings")) == 1, "one copy")
        answered = sum(traffic.instances.values())
        until(lambda: sum(traffic.instances.values()) > answered + 50, "the last one answers")
    assert traffic.failures == []


def test_a_killed_copy_is_survived_and_comes_back(stack: Project, http: httpx.Client) -> None:
    with copies(stack, 2):
        until(lambda: len(ready_instances(http, "embeddings")) == 2, "two copies")
        victim = stack.containers("embeddings")[0]
        with embeddings_under_way(stack) as traffic:
            until(lambda: len(traffic.instances) == 2, "both answer")
            stack.inside(victim, "python", "-c", KILL)
            until(lambda: again(stack, victim), "the container is started again")
            until(lambda: len(ready_instances(http, "embeddings")) == 2, "two copies again")
    assert traffic.failures == []


def again(stack: Project, victim: dict[str, Any]) -> bool:
    return any(
        one["Id"] == victim["Id"] and one["RestartCount"] > victim["RestartCount"]
        for one in stack.containers("embeddings")
    )


def test_a_killed_gateway_is_back_with_its_token_and_its_jobs(stack: Project, http: httpx.Client) -> None:
    wish = {"prompt": "calm piano", "duration": 60, "background": True}
    jobs = [http.post("/v1/music/generations", json=wish).json()["id"] for _ in range(2)]
    file = http.post("/v1/files", data={"purpose": "user_data"}, files={"file": ("a.txt", b"kept")}).json()["id"]
    (gateway,) = stack.containers("gateway")
    stack.inside(gateway, "python", "-c", KILL)

    def back() -> bool:
        try:
            return http.get("/v1/models").status_code == 200
        except httpx.TransportError:
            return False

    until(back, "the gateway answers again")
    (now,) = stack.containers("gateway")
    assert now["RestartCount"] == gateway["RestartCount"] + 1
    for job in jobs:
        until(lambda job=job: http.get(f"/v1/jobs/{job}").json()["status"] == "completed", f"{job} is done", 180)  # type: ignore[misc]
        assert len(http.get(f"/v1/jobs/{job}/result").content) > 1000
    assert http.get(f"/v1/files/{file}/content").content == b"kept"


@pytest.mark.parametrize("store", ["postgres", "valkey"])
def test_a_store_that_is_restarted_is_found_again(stack: Project, http: httpx.Client, store: str) -> None:
    job = http.post("/v1/music/generations", json={"prompt": "calm", "duration": 2, "background": True}).json()["id"]
    stack.compose("restart", store)
    assert http.post("/v1/embeddings", json={"model": "minilm", "input": "hello"}).status_code == 200
    until(lambda: http.get(f"/v1/jobs/{job}").json().get("status") == "completed", "the job is done", 120)


def test_a_service_of_ones_own_is_found_without_a_restart(stack: Project, http: httpx.Client, checkout: Path) -> None:
    """The example file as it stands, for the service that `nexus service new` writes."""
    command = [sys.executable, "-m", "nexus.cli", "service", "new", "word-tools"]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True)
    override = checkout / "compose.override.yml"
    override.write_text((checkout / "compose.override.example.yml").read_text(encoding="utf-8"), encoding="utf-8")
    grown = Project(stack.name, stack.port, (override,), checkout)
    (before,) = stack.containers("gateway")
    build(checkout, "service", f"{grown.name}-word-tools", "SERVICE=word-tools")
    grown.compose("up", "--detach", "--no-recreate", "--no-deps", "word-tools")
    try:
        until(lambda: ready_instances(http, "word-tools"), "the new service is ready")
        answer = http.post("/v1/word-tools/count", json={"text": "to be or not to be"})
        assert answer.status_code == 200, answer.text
        (ours,) = grown.containers("word-tools")
        (others,) = stack.containers("embeddings")
        for key in ("ReadonlyRootfs", "CapDrop", "SecurityOpt", "RestartPolicy", "PidsLimit", "Init"):
            assert ours["HostConfig"][key] == others["HostConfig"][key], key
        assert ours["HostConfig"]["Memory"] == 512 * 2**20
        (after,) = stack.containers("gateway")
        assert (after["Id"], after["State"]["StartedAt"]) == (before["Id"], before["State"]["StartedAt"])
    finally:
        grown.compose("rm", "--stop", "--force", "word-tools")
    until(lambda: not ready_instances(http, "word-tools"), "the removed service is gone")
