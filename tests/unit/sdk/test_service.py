"""Readiness, and the drain: running calls finish, late ones are refused, stuck ones are cut off."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from nexus.sdk.engine import Call, Engine
from nexus.sdk.environment import read_settings
from nexus.sdk.manifest import read_manifest
from nexus.sdk.problems import ServiceError
from nexus.sdk.service import NOTICE_SECONDS, Service

MANIFEST = '[service]\nname = "s"\nengine = "engine:E"\n[[endpoints]]\noperation = "s.wait"\npath = "/v1/s/wait"\n'


class Waits(Engine):
    go: threading.Event
    begun: threading.Event

    def s_wait(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        self.begun.set()
        while not (self.go.wait(0.005) or (call.cancelled and not request.get("stuck"))):
            pass
        return {"done": True}


@pytest.fixture
def engine() -> type[Waits]:
    return type("Fresh", (Waits,), {"go": threading.Event(), "begun": threading.Event()})


class Asking(threading.Thread):
    """One request in a thread of its own."""

    def __init__(self, running: Any, **body: Any) -> None:
        super().__init__()
        self.answer: httpx.Response | None = None
        self.running = running
        self.body = body
        self.start()

    def run(self) -> None:
        self.answer = self.running.post("/v1/s/wait", json=self.body)

    def status(self) -> int:
        self.join()
        assert self.answer is not None
        return self.answer.status_code


def test_a_running_call_finishes_in_the_drain(start, engine) -> None:
    running = start(engine, MANIFEST, NEXUS_DRAIN_SECONDS="10").until_ready()
    asking = Asking(running)
    assert engine.begun.wait(10)
    draining = asyncio.run_coroutine_threadsafe(running.service.drain(), running.loop)
    running.until(lambda: running.get("/readyz").status_code == 503)
    body = running.get("/readyz").json()
    assert (body["status"], bool(body["reason"])) == ("draining", True)
    assert running.get("/health").status_code == 200
    engine.go.set()
    assert asking.status() == 200
    draining.result(10)


def test_who_has_asked_lately_is_told_before_the_models_are_given_up(start, engine) -> None:
    running = start(engine, MANIFEST).until_ready()
    engine.go.set()
    running.get("/readyz")
    time.sleep(0.5)  # how often somebody asks is what this is about
    running.get("/readyz")
    draining = asyncio.run_coroutine_threadsafe(running.service.drain(), running.loop)
    assert running.post("/v1/s/wait", json={}).status_code == 200
    assert not draining.done()
    began = time.monotonic()
    running.until(lambda: running.get("/readyz").status_code == 503)
    draining.result(10)
    assert time.monotonic() - began < 0.9


def test_nobody_is_waited_for_who_never_asked(start, engine) -> None:
    running = start(engine, MANIFEST)
    running.until(lambda: running.service.keeper is not None)
    began = time.monotonic()
    asyncio.run_coroutine_threadsafe(running.service.drain(), running.loop).result(10)
    assert time.monotonic() - began < 1


def test_late_calls_are_refused_once_everyone_can_know(start, engine) -> None:
    running = start(engine, MANIFEST).until_ready()
    engine.go.set()
    running.service._draining_since = running.loop.time()
    assert running.post("/v1/s/wait", json={}).status_code == 200
    running.service._draining_since -= NOTICE_SECONDS + 1
    refused = running.post("/v1/s/wait", json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_ready_service")
    assert refused.headers["retry-after"] == "1"


def test_a_call_that_outlasts_the_drain_is_told(start, engine) -> None:
    running = start(engine, MANIFEST, NEXUS_DRAIN_SECONDS="0.05").until_ready()
    asking = Asking(running)
    assert engine.begun.wait(10)
    running.run(running.service.drain())
    assert asking.status() == 503


def test_a_stuck_call_does_not_hold_the_drain_for_ever(start, engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus.sdk.service.STOP_SECONDS", 0.05)
    running = start(engine, MANIFEST, NEXUS_DRAIN_SECONDS="0.05").until_ready()
    asking = Asking(running, stuck=True)
    assert engine.begun.wait(10)
    started = time.monotonic()
    running.run(running.service.drain())
    assert time.monotonic() - started < 5
    assert asking.status() == 503
    engine.go.set()


def test_readiness_before_there_is_an_engine_and_with_only_failures(start) -> None:
    class Fails(Waits):
        def load(self, model: Any) -> None:
            raise RuntimeError("no such device")

    running = start(Fails, MANIFEST)
    running.until(lambda: running.get("/readyz").json()["status"] == "failed")
    answer = running.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reason"] == "s: RuntimeError: no such device"


def test_only_broken_entries_are_a_reason(start, engine) -> None:
    running = start(engine, MANIFEST, models={"a.toml": "id = "})
    running.until(lambda: running.get("/readyz").json()["status"] == "failed")
    assert "a.toml" in running.get("/readyz").json()["reason"]


async def test_an_engine_that_cannot_be_had_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "service.toml").write_text(MANIFEST)
    manifest = read_manifest(tmp_path)
    service = Service(manifest, read_settings(manifest, {}))
    with pytest.raises(ServiceError, match="engine:E"):
        await service.run()
    await service.drain()


async def test_its_card_says_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "service.toml").write_text(MANIFEST)
    manifest = read_manifest(tmp_path)
    assert Service(manifest, read_settings(manifest, {"NEXUS_REGION": "eu"})).card().region == "eu"
    assert Service(manifest, read_settings(manifest, {})).card().region == ""
