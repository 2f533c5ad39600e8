"""Models that the first call loads, as callers meet them: the wait, the leavers, the failures, the drain."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from nexus.contract.card import read_card
from nexus.sdk.engine import Call, Engine, Model

MANIFEST = """
[service]
name = "s"
engine = "engine:Lazy"
[[endpoints]]
operation = "s.ask"
path = "/v1/s/ask"
[capabilities]
max_concurrency = 4
"""
BIG = 'id = "big"\naliases = ["b"]\n[load]\non_demand = true\nidle_seconds = 0.05\n[source]\npath = "big.bin"\n'


class Lazy(Engine):
    go: threading.Event
    fails: list[str]
    log: list[str]

    def load(self, model: Model) -> None:
        self.log.append(f"load {model.id}")
        self.go.wait(10)
        if self.fails:
            raise RuntimeError(self.fails.pop())

    def unload(self, model: Model) -> None:
        self.log.append(f"unload {model.id}")

    def s_ask(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"model": call.model.id, "path": call.model.path.name if call.model.path else None}


@pytest.fixture
def engine() -> type[Lazy]:
    return type("Fresh", (Lazy,), {"go": threading.Event(), "fails": [], "log": []})


@pytest.fixture
def running(start, engine, tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "big.bin").write_bytes(b"weights")
    return start(engine, MANIFEST, models={"big.toml": BIG.replace("idle_seconds = 0.05\n", "")}).until_ready()


def state(running: Any) -> str:
    return read_card(running.get("/v1/metadata").content).models[0].state


def ask(running: Any, name: str = "x", **body: Any) -> httpx.Response:
    return running.post("/v1/s/ask", json=body, headers={"x-request-id": name})


def test_it_is_ready_unloaded_and_the_first_calls_load_it_once(running, engine) -> None:
    model = read_card(running.get("/v1/metadata").content).models[0]
    assert (model.state, model.on_demand, model.digest) == ("unloaded", True, None)
    assert running.get("/readyz").json() == {"status": "ready", "checks": {"engine": "ready", "model big": "unloaded"}}
    with ThreadPoolExecutor(3) as threads:
        answers = [threads.submit(ask, running, name, model="b") for name in ("one", "two", "three")]
        running.until(lambda: running.service.admission.in_flight == 3 and state(running) == "loading")
        assert running.get("/v1/calls/two").json()["message"] == "loading big"
        assert running.get("/readyz").status_code == 200
        engine.go.set()
        values = [answer.result().json() for answer in answers]
    assert values == [{"model": "big", "path": "big.bin"}] * 3
    assert (engine.log, state(running)) == (["load big"], "ready")
    assert read_card(running.get("/v1/metadata").content).models[0].digest


def test_a_caller_that_leaves_during_the_load_harms_nobody(running, engine) -> None:
    with pytest.raises(httpx.ReadTimeout):
        running.post("/v1/s/ask", json={}, timeout=0.1)
    running.until(lambda: running.service.admission.in_flight == 0)
    assert state(running) == "loading"
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(ask, running)
        running.until(lambda: running.service.admission.in_flight == 1)
        engine.go.set()
        assert answer.result().status_code == 200
    assert engine.log == ["load big"]


def test_a_load_that_fails_is_told_and_tried_again(running, engine, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.go.set()
    engine.fails.append("no memory left")
    refused = ask(running)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_ready_service")
    assert "no memory left" in refused.json()["error"]["message"]
    assert running.get("/readyz").json()["reason"] == "big: RuntimeError: no memory left"
    assert ask(running).status_code == 503
    assert engine.log == ["load big"]
    monkeypatch.setattr("nexus.sdk.keeper.RETRY_SECONDS", 0.0)
    running.until_ready()
    assert ask(running).status_code == 200


def test_the_verbs_work_on_it(running, engine) -> None:
    engine.go.set()
    assert running.post("/v1/models/b/load").json() == {"id": "big", "state": "ready"}
    assert running.post("/v1/models/b/unload").json() == {"id": "big", "state": "unloaded"}
    assert running.get("/readyz").status_code == 200
    assert ask(running).json()["model"] == "big"
    assert engine.log == ["load big", "unload big", "load big"]


def test_an_idle_one_is_unloaded(start, engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus.sdk.keeper.POLL_SECONDS", 0.02)
    engine.go.set()
    running = start(engine, MANIFEST, models={"big.toml": BIG.partition("[source]")[0]}).until_ready()
    assert ask(running).status_code == 200
    running.until(lambda: "unload big" in engine.log)
    assert ask(running).status_code == 200


def test_a_drain_during_a_load_ends(running, engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus.sdk.service.STOP_SECONDS", 0.1)
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(ask, running)
        running.until(lambda: running.service.admission.in_flight == 1)
        started = time.monotonic()
        running.run(running.service.drain())
        assert time.monotonic() - started < 5
        assert answer.result().status_code == 503
    engine.go.set()
