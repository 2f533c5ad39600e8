"""Jobs under what breaks them: a gateway that sleeps too long, services that say nonsense or overstep, a full disk."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.servers.cards import card
from tests.servers.gateway import Gateway
from tests.servers.raw import Answer, wait_until
from tests.servers.scripted import ScriptedUpstream
from tests.servers.slow_service import SlowService
from tests.system.conftest import StartGateway

PATH = "/v1/music/generations"


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[SlowService]:
    with SlowService(tmp_path) as service:
        yield service


@pytest.fixture
def start(stack: ExitStack, tmp_path: Path, slow: SlowService) -> Callable[..., Gateway]:
    """Start a gateway before the slow service, in a folder of its own."""

    def begin(name: str, **env: str) -> Gateway:
        folder = tmp_path / name
        folder.mkdir()
        gateway = stack.enter_context(Gateway(folder, [slow.url], env))
        gateway.wait_for_state(slow.url, "ready")
        return gateway

    return begin


def submit(gateway: Gateway, prompt: str, **fields: Any) -> str:
    answer = gateway.post(PATH, {"prompt": prompt, "background": True, **fields})
    assert answer.status == 202, answer
    identity: str = answer.json()["id"]
    return identity


def ended(gateway: Gateway, identity: str, within: float = 30.0) -> dict[str, Any]:
    """The job, once it has ended."""

    def look() -> dict[str, Any] | None:
        job: dict[str, Any] = gateway.get(f"/v1/jobs/{identity}").json()
        return job if job["status"] in ("completed", "failed", "cancelled") else None

    job: dict[str, Any] = wait_until(look, within)
    return job


def test_a_gateway_that_slept_beyond_its_claim_completes_nothing_twice(
    start: Callable[..., Gateway], slow: SlowService, tmp_path: Path
) -> None:
    """It wakes with the service's whole answer in its connection, and somebody else has the job."""
    shared = {"NEXUS_DATABASE_URL": f"sqlite:///{tmp_path}/jobs.db", "NEXUS_FILES_URL": str(tmp_path / "files")}
    first = start("first", **shared)
    identity = submit(first, "asleep", steps=20, pace=0.05)
    wait_until(lambda: slow.count("begin")["asleep"])
    second = start("second", **shared)
    first.process.send_signal(signal.SIGSTOP)
    try:
        job = ended(second, identity)
    finally:
        first.process.send_signal(signal.SIGCONT)
    assert (job["status"], job["attempts"]) == ("completed", 2)
    wait_until(lambda: len(list((tmp_path / "files").rglob("answer"))) == 1)
    later = submit(first, "awake", steps=1)
    assert ended(first, later)["status"] == "completed"
    assert second.get(f"/v1/jobs/{identity}").json() == job
    assert first.get(f"/v1/jobs/{identity}/result").body == b"sound of asleep"
    assert len(list((tmp_path / "files" / "jobs" / identity).rglob("answer"))) == 1


def test_a_service_sees_nothing_of_its_callers_with_what_it_asks_with(start_gateway: StartGateway) -> None:
    asking = card("asking", operations=("chat.completions",), uses=("chat.completions",))
    with ScriptedUpstream(asking) as upstream:
        gateway = start_gateway(upstream)
        done: list[Answer] = []
        script = {"kind": "json", "gate": "ask"}
        thread = Thread(target=lambda: done.append(gateway.chat(script)))
        thread.start()
        seen = upstream.wait_for(lambda: upstream.seen and upstream.seen[0])
        token = seen.header("x-nexus-delegation")
        assert token
        for path in ("/v1/jobs", "/v1/files", "/v1/videos", "/v1/services", "/v1/models"):
            answer = gateway.get(path, token=token)
            assert (answer.status, answer.error["code"]) == (403, "permission_denied"), path
        assert gateway.get("/v1/files/file-1", token=token, method="DELETE").status == 403
        asked = gateway.post("/v1/chat/completions", {"model": "scripted", "messages": []}, token=token)
        assert asked.status == 200
        upstream.open("ask")
        thread.join(10)
        assert [answer.status for answer in done] == [200]
        assert gateway.get("/v1/models", token=token).status == 401
        assert gateway.post("/v1/chat/completions", {"model": "scripted"}, token=token).status == 401
