"""What an engine behind tells: bounded, sifted, and on the roster and the card without a restart."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from nexus.contract.card import read_card
from nexus.contract.errors import NO_READY_SERVICE, UPSTREAM_ERROR, ApiError
from nexus.sdk import discovery, keeper
from nexus.sdk.conformance.run import run_checks
from nexus.sdk.discovery import ask, sift
from nexus.sdk.engine import Call, Engine, Found, Model, Tool

MANIFEST = """
[service]
name = "s"
engine = "engine:E"
operations = ["completions"]
[[endpoints]]
operation = "s.ask"
path = "/v1/s/ask"
[backend]
name = "an engine"
[capabilities]
max_concurrency = 4
"""


class Behind(Engine):
    """Has what the test puts into `has`; an exception there is raised."""

    has: Any
    log: list[str]
    go: threading.Event

    async def open(self) -> None:
        self.log.append("open")
        self.base_url = "http://engine:1"

    async def close(self) -> None:
        self.log.append("close")

    async def discover(self, wanted: Sequence[Model]) -> Sequence[Found] | None:
        if isinstance(self.has, Exception):
            raise self.has
        known = {model.id: model for model in wanted}
        return [replace(one, model=replace(known.get(one.model.id, one.model), context_length=7)) for one in self.has]

    async def load(self, model: Model) -> None:
        self.log.append(f"load {model.id}")
        while model.id == "slow" and not self.go.is_set():
            await asyncio.sleep(0.01)
        if model.id == "bad":
            raise ApiError(UPSTREAM_ERROR, "it does not fit")
        self._turn(model, "ready")

    async def unload(self, model: Model) -> None:
        self.log.append(f"unload {model.id}")
        if model.id == "stuck":  # and cannot be asked until the test says what it has
            type(self).has = ApiError(NO_READY_SERVICE, "it is busy")
            raise ApiError(UPSTREAM_ERROR, "it stays")
        if f"load {model.id}" in self.log:  # what the test has put there as ready stays so
            self._turn(model, "unloaded")

    def _turn(self, model: Model, state: Any) -> None:
        type(self).has = [replace(one, state=state) if one.model.id == model.id else one for one in self.has]

    async def delete(self, model: Model) -> None:
        type(self).has = [one for one in self.has if one.model.id != model.id]

    async def show(self, model: Model) -> dict[str, Any]:
        return {"family": "llama", "id": "not this"}

    async def completions(self, request: dict[str, Any], call: Call) -> Any:
        async def items() -> AsyncIterator[dict[str, Any]]:
            yield answer

        answer = {"model": call.model.id, "options": dict(call.model.options)}
        return items() if request.get("stream") else answer

    async def s_ask(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        self.log.append("asked")
        while not self.go.is_set():
            await asyncio.sleep(0.01)
        return {"model": call.model.id}


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "POLL_SECONDS", 0.02)


@pytest.fixture
def engine() -> type[Behind]:
    return type("Fresh", (Behind,), {"has": [], "log": [], "go": threading.Event()})


def found(name: str, state: Any = "ready", reason: str = "", tools: tuple[Tool, ...] = (), **fields: Any) -> Found:
    return Found(Model(name, **fields), state, reason, tools)


def models(running: Any) -> dict[str, str]:
    return {model.id: model.state for model in read_card(running.get("/v1/metadata").content).models}


def test_models_appear_and_vanish_without_a_restart(start, engine) -> None:
    running = start(engine, MANIFEST).until_ready()
    assert models(running) == {}
    assert running.post("/v1/completions", json={}).status_code == 503
    engine.has = [found("a", aliases=("x",)), found("b", "unloaded"), found("c", "failed", "broken")]
    running.until(lambda: models(running) == {"a": "ready", "b": "unloaded", "c": "failed"})
    assert running.post("/v1/completions", json={"model": "x"}).json()["model"] == "a"
    assert running.get("/readyz").json()["checks"]["model c"] == "failed: broken"
    engine.has = [found("b", "ready")]
    running.until(lambda: models(running) == {"b": "ready"})
    refused = running.post("/v1/completions", json={"model": "a"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")
    card = read_card(running.get("/v1/metadata").content)
    assert (card.backend.base_url, card.backend.name, card.models[0].context_length) == (
        "http://engine:1",
        "an engine",
        7,
    )
    assert card.models[0].on_demand
    assert card.capabilities.needs_models
    assert [one["id"] for one in running.get("/v1/models").json()["data"]] == ["b"]


def tools(running: Any) -> dict[str, Tool]:
    return {tool.name: tool for tool in read_card(running.get("/v1/metadata").content).tools}


def test_tools_come_and_go_with_the_models_that_can_be_asked_for(start, engine) -> None:
    manifest = MANIFEST + '[[tools]]\nname = "ask"\ndescription = "Ask anything"\noperation = "s.ask"\n'
    schema = {"type": "object", "properties": {"model": {"const": "a"}}}
    of_a = Tool(name="ask_a", description="Ask a", path="/v1/s/ask", input_schema=schema)
    running = start(engine, manifest).until_ready()
    assert tools(running).keys() == {"ask"}
    twice = (Tool(name="ask", path="/v1/s/ask"), Tool(name="far", path="/v1/far"))
    engine.has = [found("a", "unloaded", tools=(of_a,)), found("b", tools=(of_a, *twice))]
    running.until(lambda: tools(running).keys() == {"ask", "ask_a"})
    assert tools(running)["ask_a"].input_schema == schema
    checks = running.get("/readyz").json()["checks"]
    assert {name: words for name, words in checks.items() if name.startswith("tool ")} == {
        "tool ask_a": "the model b brings it, and the model a has it already",
        "tool ask": "the model b brings it, and the service has it already",
        "tool far": "the model b has it call /v1/far, which the service has no POST to",
    }
    engine.has = [found("a", "failed", "broken", tools=(of_a,))]
    running.until(lambda: tools(running).keys() == {"ask"})
    assert not [name for name in running.get("/readyz").json()["checks"] if name.startswith("tool ")]
    engine.has = [found("b", tools=(of_a,))]
    running.until(lambda: tools(running).keys() == {"ask", "ask_a"})
    engine.has = []
    running.until(lambda: tools(running).keys() == {"ask"})


def test_what_the_entries_say_of_a_model_goes_with_it(start, engine) -> None:
    engine.has = [found("a"), found("b")]
    running = start(
        engine, MANIFEST, models={"a.toml": 'id = "a"\n[options]\nx = 1', "z.toml": 'id = "z"'}
    ).until_ready()
    assert models(running) == {"a": "ready", "b": "ready"}
    assert running.post("/v1/completions", json={"model": "a"}).json()["options"] == {"x": 1}
    (running.folder / "models" / "a.toml").write_text('id = "a"\n[options]\nx = 2')
    running.until(lambda: running.post("/v1/completions", json={"model": "a"}).json()["options"] == {"x": 2})
    (running.folder / "models" / "a.toml").unlink()
    running.until(lambda: running.post("/v1/completions", json={"model": "a"}).json()["options"] == {})
    assert models(running) == {"a": "ready", "b": "ready"}


def test_an_engine_out_of_reach_is_a_503_with_the_reason_until_it_is_back(start, engine) -> None:
    engine.has = gone = ApiError(NO_READY_SERVICE, "the engine at :1 cannot be reached", retry_after=3)
    running = start(engine, MANIFEST, models={"a.toml": 'id = "a"'})
    running.until(lambda: running.get("/readyz").json()["checks"]["engine"] == gone.message)
    assert running.get("/readyz").status_code == 503
    assert models(running) == {"a": "loading"}
    engine.has = [found("a"), found("b")]
    running.until_ready()
    assert running.get("/readyz").json()["checks"]["engine"] == "ready"
    assert models(running) == {"a": "ready", "b": "ready"}
    engine.has = gone
    running.until(lambda: running.get("/readyz").status_code == 503)
    assert running.get("/readyz").json()["reason"] == gone.message
    for path, body in (("/v1/completions", {"model": "b"}), ("/v1/completions", {}), ("/v1/models/b/load", None)):
        refused = running.post(path, json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_ready_service")
        assert (refused.json()["error"]["message"], refused.headers["retry-after"]) == (gone.message, "3")
    assert models(running) == {"a": "ready", "b": "ready"}
    assert running.get("/v1/models/b").json()["id"] == "b"
    engine.has = [found("a")]
    running.until_ready()
    assert running.post("/v1/completions", json={"model": "a"}).json()["model"] == "a"
    assert models(running) == {"a": "ready"}


def test_nonsense_of_the_engines_is_an_outage_that_tells_itself(start, engine) -> None:
    engine.has = KeyError("models")
    running = start(engine, MANIFEST)
    words = "the engine's models cannot be told: KeyError: 'models'"
    running.until(lambda: running.get("/readyz").json()["checks"]["engine"] == words)
    refused = running.post("/v1/completions", json={})
    assert (refused.status_code, refused.json()["error"]["message"]) == (502, words)


def test_a_call_on_a_model_that_vanishes_goes_on(start, engine) -> None:
    engine.has = [found("a")]
    running = start(engine, MANIFEST).until_ready()
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(running.post("/v1/s/ask", json={"model": "a"})))
    asking.start()
    running.until(lambda: "asked" in engine.log)
    engine.has = []
    running.until(lambda: models(running) == {})
    engine.go.set()
    asking.join(10)
    assert answers[0].json() == {"model": "a"}
    assert engine.log == ["open", "asked"]


def test_what_was_loaded_here_and_vanishes_is_unloaded_after_its_last_call(start, engine) -> None:
    engine.has = [found("a", "unloaded"), found("b")]
    running = start(engine, MANIFEST).until_ready()
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(running.post("/v1/s/ask", json={"model": "a"})))
    asking.start()
    running.until(lambda: "asked" in engine.log)
    engine.has = []
    running.until(lambda: models(running) == {})
    time.sleep(0.1)
    assert engine.log == ["open", "load a", "asked"]
    engine.go.set()
    asking.join(10)
    running.until(lambda: engine.log[-1] == "unload a")
    assert answers[0].json() == {"model": "a"}
    assert engine.log == ["open", "load a", "asked", "unload a"]  # b was the engine's own affair


def test_what_was_loaded_here_fails_and_then_vanishes_is_unloaded(start, engine) -> None:
    engine.has = [found("a", "unloaded")]
    running = start(engine, MANIFEST).until_ready()
    running.post("/v1/models/a/load")
    engine.has = [found("a", "failed", "half of its files")]
    running.until(lambda: models(running) == {"a": "failed"})
    assert engine.log == ["open", "load a"]
    assert running.post("/v1/models/a/load").json() == {"id": "a", "state": "ready"}
    engine.has = []
    running.until(lambda: engine.log[-1] == "unload a")
    assert engine.log == ["open", "load a", "load a", "unload a"]


def test_what_vanishes_while_it_is_loaded_is_unloaded_then(start, engine) -> None:
    engine.has = [found("slow", "unloaded")]
    running = start(engine, MANIFEST).until_ready()
    loading = threading.Thread(target=lambda: running.post("/v1/models/slow/load"))
    loading.start()
    running.until(lambda: "load slow" in engine.log)
    engine.has = []
    running.until(lambda: models(running) == {})
    engine.go.set()
    running.until(lambda: engine.log[-1] == "unload slow")
    loading.join(10)


def test_the_first_call_loads_what_is_unloaded_and_the_verbs_do_as_they_say(start, engine) -> None:
    engine.has = [found("a", "unloaded"), found("stuck"), found("bad", "unloaded")]
    running = start(engine, MANIFEST).until_ready()
    assert running.post("/v1/completions", json={"model": "a"}).json()["model"] == "a"
    assert engine.log == ["open", "load a"]
    assert running.post("/v1/models/a/load").json() == {"id": "a", "state": "ready"}
    engine.has = [found("a"), found("stuck"), found("bad", "unloaded")]
    running.until(lambda: models(running)["a"] == "ready")
    assert running.post("/v1/models/a/unload").json() == {"id": "a", "state": "unloaded"}
    assert engine.log[-1] == "unload a"
    refused = running.post("/v1/models/stuck/unload")
    assert (refused.status_code, "it stays" in refused.json()["error"]["message"]) == (502, True)
    engine.has = [found("a", "unloaded"), found("stuck"), found("bad", "unloaded")]
    running.until(lambda: models(running)["stuck"] == "ready")
    assert "it does not fit" in running.post("/v1/completions", json={"model": "bad"}).json()["error"]["message"]
    assert models(running)["bad"] == "failed"
    refused = running.post("/v1/models/bad/load")
    assert (refused.status_code, "it does not fit" in refused.json()["error"]["message"]) == (502, True)


def test_a_model_is_shown_and_deleted(start, engine) -> None:
    engine.has = [found("org/a:1b"), found("b")]
    running = start(engine, MANIFEST).until_ready()
    shown = running.get("/v1/models/org/a:1b").json()
    assert (shown["id"], shown["family"], shown["state"]) == ("org/a:1b", "llama", "ready")
    gone = running.client.delete("/v1/models/org/a:1b")
    assert gone.json() == {"id": "org/a:1b", "object": "model", "deleted": True}
    assert models(running) == {"b": "ready"}
    assert running.client.delete("/v1/models/org/a:1b").status_code == 404


def test_the_engines_models_are_left_alone_when_the_service_ends(start, engine) -> None:
    engine.has = [found("a"), found("b", "unloaded")]
    running = start(engine, MANIFEST).until_ready()
    running.post("/v1/models/b/load")
    running.run(running.service.drain())
    assert engine.log == ["open", "load b", "close"]


def test_one_slow_load_does_not_hold_up_another(start, engine) -> None:
    engine.has = [found("slow", "unloaded"), found("b", "unloaded")]
    running = start(engine, MANIFEST).until_ready()
    loading = threading.Thread(target=lambda: running.post("/v1/completions", json={"model": "slow"}))
    loading.start()
    running.until(lambda: "load slow" in engine.log)
    assert models(running)["slow"] == "loading"
    assert running.post("/v1/completions", json={"model": "b"}).json()["model"] == "b"
    engine.go.set()
    loading.join(10)


def test_the_checks_bear_with_an_engine_that_has_no_models_and_hold_one_that_has(start, engine) -> None:
    running = start(engine, MANIFEST).until_ready()
    engine.go.set()
    results = {one.check.name: one for one in run_checks(running.url, 5)}
    assert [one for one in results.values() if one.status == "fail"] == []
    assert "the engine behind has no model" in results["samples-succeed"].reason
    engine.has = [found("a", aliases=("org/a",)), found("b", "unloaded")]
    running.until(lambda: len(models(running)) == 2)
    results = {one.check.name: one for one in run_checks(running.url, 5)}
    assert [one for one in results.values() if one.status == "fail"] == []
    assert results["models-listed"].status == results["unknown-model"].status == "pass"


class Plain(Engine):
    async def completions(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        return {"model": call.model.id}

    async def s_ask(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        return {}


def test_an_engine_without_these_verbs_says_so(start) -> None:
    running = start(Plain, MANIFEST, models={"a.toml": 'id = "a"'}).until_ready()
    deleted = running.client.delete("/v1/models/a")
    assert (deleted.status_code, deleted.json()["error"]["code"]) == (404, "not_found")
    pulled = running.post("/v1/models/a/pull")
    assert (pulled.status_code, pulled.json()["error"]["code"]) == (404, "not_found")
    assert running.get("/v1/models/a").json()["state"] == "ready"


class Slow(Plain):
    async def discover(self, wanted: Sequence[Model]) -> Sequence[Found]:
        await asyncio.Event().wait()
        return []


async def test_an_engine_that_does_not_answer_in_time_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "LOOK_SECONDS", 0.05)
    with pytest.raises(ApiError, match=r"within 0\.05 seconds") as caught:
        await ask(Slow({}), (), ("completions",))
    assert caught.value.kind is NO_READY_SERVICE
    assert await ask(Plain({}), (), ("completions",)) is None


def test_names_are_given_once_and_what_cannot_be_offered_is_told() -> None:
    sight = sift(
        [
            found("a", aliases=("b", "x", "x", "no blanks")),
            found("b", aliases=("x", "y")),
            found("a"),
            found("two words"),
            found("", reason="r"),
            found("elsewhere", operations=("embeddings",)),
            found("here", operations=("embeddings", "completions")),
        ],
        ("completions",),
    )
    assert [(one.model.id, one.model.aliases) for one in sight.found] == [("a", ("x",)), ("b", ("y",)), ("here", ())]
    assert sight.refused.keys() == {"a", "two words", "", "elsewhere"}
    assert sight.refused["elsewhere"] == "the service has none of embeddings"


def test_there_are_no_more_models_than_a_card_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "MOST_MODELS", 2)
    sight = sift([found(name) for name in "abc"], ())
    assert [one.model.id for one in sight.found] == ["a", "b"]
    assert "more than 2" in sight.refused["c"]
