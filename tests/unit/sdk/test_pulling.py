"""A model is pulled: progress as events, errors where they fall, and an end when nobody listens any more."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from nexus.contract.errors import INSUFFICIENT_STORAGE, INVALID_REQUEST, ApiError
from nexus.sdk import pulling
from nexus.sdk.engine import Call, Engine, Found, Model

MANIFEST = """
[service]
name = "s"
engine = "engine:E"
operations = ["completions"]
"""


class Pulls(Engine):
    has: list[Found]
    asked: list[str]
    closed: threading.Event

    async def discover(self, wanted: Sequence[Model]) -> Sequence[Found]:
        return self.has

    async def pull(self, name: str, call: Call) -> AsyncIterator[dict[str, Any]]:
        self.asked.append(name)
        if name == "none":
            raise ApiError(INVALID_REQUEST, "there is no such model", param="model")
        try:
            yield {"status": "pulling", "completed": 1, "total": 2, "digest": "sha256:1"}
            if name == "large":
                raise ApiError(INSUFFICIENT_STORAGE, "the disk is full")
            if name == "odd":
                raise KeyError("total")
            if name == "endless":
                await asyncio.Event().wait()
            self.has.append(Found(Model(name)))
            yield {"status": "success"}
        finally:
            self.closed.set()

    async def completions(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        return {}


@pytest.fixture
def engine() -> type[Pulls]:
    return type("Fresh", (Pulls,), {"has": [], "asked": [], "closed": threading.Event()})


@pytest.fixture
def running(start, engine):
    return start(engine, MANIFEST).until_ready()


def events(text: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_progress_comes_as_events_and_the_model_is_there_at_the_end(running, engine) -> None:
    answer = running.post("/v1/models/org/new:1b/pull", json={"ignored": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert events(answer.text) == [
        {"status": "pulling", "completed": 1, "total": 2, "digest": "sha256:1"},
        {"status": "success", "completed": None, "total": None, "digest": None},
        "[DONE]",
    ]
    assert engine.asked == ["org/new:1b"]
    assert running.get("/v1/models/org/new:1b").json()["state"] == "ready"
    assert 'nexus_service_requests_total{operation="models.pull",status="200"} 1.0' in running.get("/metrics").text


def test_an_error_before_the_first_item_is_the_answer(running) -> None:
    refused = running.post("/v1/models/none/pull")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "model")


@pytest.mark.parametrize(("name", "code"), [("large", "insufficient_storage"), ("odd", "internal_error")])
def test_an_error_in_mid_stream_is_the_last_event(running, engine, name: str, code: str) -> None:
    told = events(running.post(f"/v1/models/{name}/pull").text)
    assert [event.get("status") for event in told] == ["pulling", None]
    assert told[1]["error"]["code"] == code
    assert engine.closed.is_set()


def test_a_pull_ends_when_its_caller_leaves(running, engine) -> None:
    with running.client.stream("POST", "/v1/models/endless/pull") as answer:
        lines = answer.iter_lines()  # the connection ends with it
        assert next(lines).startswith("data: ")
        assert not engine.closed.is_set()
    assert engine.closed.wait(1)
    running.until(lambda: len(running.service.calls) == 0)


def test_a_pull_that_runs_at_the_end_of_the_drain_is_told_so(running, engine) -> None:
    with running.client.stream("POST", "/v1/models/endless/pull") as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        running.run(running.service.drain())
        last = [line for line in lines if line][-1]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "no_ready_service"
    assert engine.closed.is_set()


def test_there_are_only_so_many_pulls_at_once(start, engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "AT_ONCE", 1)
    running = start(engine, MANIFEST).until_ready()
    with running.client.stream("POST", "/v1/models/endless/pull") as answer:
        lines = answer.iter_lines()  # the connection ends with it
        assert next(lines).startswith("data: ")
        refused = running.post("/v1/models/other/pull")
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "concurrency_exceeded")


def test_what_is_no_name_or_no_small_request_is_refused(running, engine) -> None:
    for path in ("/v1/models/two%20words/pull", f"/v1/models/{'x' * 513}/pull"):
        refused = running.post(path)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "model")
    assert running.post("/v1/models/a/pull", content=b" " * 70_000).status_code == 413
    assert running.get("/v1/models/a/pull").status_code in (404, 405)
    assert not engine.asked


def test_it_waits_for_the_engine_to_be_there(start, engine) -> None:
    go = threading.Event()
    running = start(lambda: go.wait(10) and engine, MANIFEST)
    refused = running.post("/v1/models/a/pull")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_ready_service")
    go.set()
    running.until_ready()
