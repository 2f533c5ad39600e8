"""Models follow their folders: new ones are loaded, changed ones reloaded, gone ones unloaded, broken ones told."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.sdk.calls import RunningCall, RunningCalls
from nexus.sdk.engine import Call, Engine, Model
from nexus.sdk.keeper import RETRY_SECONDS, Keeper
from nexus.sdk.roster import Roster


class Loads(Engine):
    """Remembers what was asked of it; a model with the option `bad` cannot be loaded."""

    def __init__(self, config: Any = None) -> None:
        super().__init__(config or {})
        self.log: list[str] = []
        self.hold = threading.Event()
        self.hold.set()

    def load(self, model: Model) -> None:
        assert threading.current_thread() is not threading.main_thread()
        self.hold.wait(10)
        if model.options.get("bad"):
            raise RuntimeError("cannot\nread it")
        self.log.append(f"+{model.id}{model.options.get('v', '')}")

    def unload(self, model: Model) -> None:
        self.log.append(f"-{model.id}{model.options.get('v', '')}")


class AsyncLoads(Loads):
    async def load(self, model: Model) -> None:
        self.log.append(f"+{model.id}")

    async def unload(self, model: Model) -> None:
        raise RuntimeError("stuck")


class Kept:
    """A keeper over a folder."""

    def __init__(self, folder: Path, engine: Loads) -> None:
        self.folder = folder / "models"
        self.folder.mkdir()
        self.shared = folder / "shared"
        self.shared.mkdir()
        self.engine = engine
        self.roster = Roster(("completions",))
        self.keeper = Keeper(
            engine,
            self.roster,
            lambda: (self.folder, self.shared),
            implicit="llm",
            cache=folder / "cache",
            grace=0.05,
        )

    def write(self, name: str, text: str) -> None:
        (self.folder / f"{name}.toml").write_text(text)

    async def look(self, held: Callable[[], bool]) -> None:
        """Look once, then wait for what is to come of it."""
        await self.keeper.look()
        async with asyncio.timeout(10):
            while not held():
                await asyncio.sleep(0.005)

    @property
    def states(self) -> dict[str, str]:
        return {one.id: one.state for one in self.roster.residents.values()}


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    made = Kept(tmp_path, Loads())
    yield made
    await made.keeper.close()


async def test_an_empty_folder_has_the_implicit_model(kept: Kept) -> None:
    await kept.look(lambda: kept.states == {"llm": "ready"})
    kept.write("a", 'id = "a"')
    await kept.look(lambda: kept.engine.log == ["+llm", "-llm", "+a"] or kept.engine.log == ["+llm", "+a", "-llm"])
    assert kept.states.keys() == {"a"}


async def test_new_changed_and_gone_entries(kept: Kept) -> None:
    kept.write("a", 'id = "a"\n[options]\nv = 1')
    kept.write("b", 'id = "b"')
    await kept.look(lambda: kept.states == {"a": "ready", "b": "ready"})
    await kept.look(lambda: True)
    assert sorted(kept.engine.log) == ["+a1", "+b"]
    kept.write("a", 'id = "a"\n[options]\nv = 2')
    (kept.folder / "b.toml").unlink()
    await kept.look(lambda: kept.states == {"a": "ready"} and "-b" in kept.engine.log)
    assert [word for word in kept.engine.log if "a" in word] == ["+a1", "-a1", "+a2"]


async def test_a_replaced_file_is_loaded_again(kept: Kept) -> None:
    kept.write("a", 'id = "a"\n[source]\npath = "weights"')
    await kept.look(lambda: kept.states == {"a": "failed"})
    assert "is not there" in kept.roster.residents["a"].reason
    (kept.folder / "weights").write_bytes(b"1")
    await kept.look(lambda: kept.states == {"a": "ready"})
    digest = kept.roster.residents["a"].model.digest
    (kept.folder / "weights").write_bytes(b"22")
    await kept.look(lambda: kept.states == {"a": "ready"} and kept.roster.residents["a"].model.digest != digest)
    assert kept.engine.log == ["+a", "-a", "+a"]


async def test_a_broken_entry_or_model_is_told_and_harms_nobody(kept: Kept) -> None:
    kept.write("a", 'id = "a"\n[options]\nbad = true')
    kept.write("b", "id = ")
    kept.write("c", 'id = "c"\noperations = ["embeddings"]')
    kept.write("d", 'id = "d"')
    (kept.shared / "e.toml").write_text('id = "e"\noperations = ["embeddings"]')
    await kept.look(lambda: kept.states == {"a": "failed", "d": "ready"})
    assert kept.roster.residents["a"].reason == "RuntimeError: cannot read it"
    assert [problem.file.name for problem in kept.roster.problems] == ["b.toml", "c.toml"]


async def test_only_broken_entries_are_no_reason_for_the_implicit_model(kept: Kept) -> None:
    kept.write("b", "id = ")
    await kept.look(lambda: len(kept.roster.problems) == 1)
    assert kept.states == {}


async def test_the_verbs(kept: Kept) -> None:
    await kept.look(lambda: kept.states == {"llm": "ready"})
    one = kept.roster.residents["llm"]
    await kept.keeper.unload(one)
    await kept.keeper.unload(one)
    assert kept.states == {"llm": "unloaded"}
    await kept.look(lambda: True)
    assert kept.states == {"llm": "unloaded"}
    await kept.keeper.load(one)
    await kept.keeper.load(one)
    assert kept.engine.log == ["+llm", "-llm", "+llm"]


async def test_a_model_is_unloaded_under_no_running_call(kept: Kept) -> None:
    await kept.look(lambda: kept.states == {"llm": "ready"})
    one, calls, running = kept.roster.residents["llm"], RunningCalls(), RunningCall()
    running.call = Call("id", one.model, {})

    async def work() -> None:
        with kept.roster.lease(one, running):
            await asyncio.Event().wait()

    calls.add(running, asyncio.create_task(work()))
    await asyncio.sleep(0)
    await kept.keeper.unload(one)
    assert isinstance(running.stopped.result(), ApiError)
    assert kept.engine.log == ["+llm", "-llm"]


async def test_memory_goes_back_once_a_model_is_unloaded(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus.sdk.keeper.give_back", lambda: kept.engine.log.append("trimmed"))
    await kept.look(lambda: kept.states == {"llm": "ready"})
    await kept.keeper.unload(kept.roster.residents["llm"])
    assert kept.engine.log == ["+llm", "-llm", "trimmed"]


async def test_async_engines_and_an_unload_that_fails(tmp_path: Path) -> None:
    kept = Kept(tmp_path, AsyncLoads())
    await kept.look(lambda: kept.states == {"llm": "ready"})
    await kept.keeper.close()
    assert kept.engine.log == ["+llm"]


async def test_it_goes_on_looking(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nexus.sdk.keeper.POLL_SECONDS", 0.01)
    running = asyncio.create_task(kept.keeper.run())
    kept.write("a", 'id = "a"')
    async with asyncio.timeout(10):
        while kept.states != {"a": "ready"}:
            await asyncio.sleep(0.005)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


ON_DEMAND = 'id = "a"\n[load]\non_demand = true\n'


async def test_a_model_on_demand_is_loaded_once_for_all_who_ask(kept: Kept) -> None:
    kept.write("a", ON_DEMAND)
    await kept.look(lambda: True)
    one = kept.roster.residents["a"]
    assert (kept.states, one.can_answer) == ({"a": "unloaded"}, True)
    kept.engine.hold.clear()
    callers = [asyncio.create_task(kept.keeper.load(one)) for _ in range(3)]
    async with asyncio.timeout(10):
        while one.state != "loading":
            await asyncio.sleep(0.005)
    callers[0].cancel()
    await asyncio.wait(callers[:1])
    assert callers[0].cancelled()
    kept.engine.hold.set()
    await asyncio.gather(*callers[1:])
    assert (kept.states, kept.engine.log) == ({"a": "ready"}, ["+a"])
    await kept.keeper.unload(one)
    assert (kept.states, one.can_answer) == ({"a": "unloaded"}, True)
    await kept.keeper.load(one)
    assert kept.engine.log == ["+a", "-a", "+a"]


async def test_an_idle_model_is_unloaded_but_not_under_a_call(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    kept.write("a", ON_DEMAND + "idle_seconds = 60")
    await kept.look(lambda: True)
    one = kept.roster.residents["a"]
    await kept.keeper.load(one)
    with kept.roster.lease(one, RunningCall()):
        one.since -= 61
        kept.keeper.tend()
        assert not one.idle
    kept.keeper.tend()
    await asyncio.sleep(0)
    assert kept.states == {"a": "ready"}  # the minute begins anew with the call's end
    one.since -= 61
    caplog.set_level(logging.INFO)
    kept.keeper.tend()
    async with asyncio.timeout(10):
        while "-a" not in kept.engine.log:
            await asyncio.sleep(0.005)
    assert kept.states == {"a": "unloaded"}
    await kept.keeper.load(one)
    assert kept.engine.log == ["+a", "-a", "+a"]
    told = [(line.message, line.model, getattr(line, "reason", "")) for line in caplog.records]  # type: ignore[attr-defined]
    assert told == [
        ("a model is unloaded", "a", "idle for 61 s"),
        ("a model is loading", "a", ""),
        ("a model is ready", "a", ""),
    ]


async def test_a_call_that_comes_before_the_idle_unload_keeps_the_model(kept: Kept) -> None:
    kept.write("a", ON_DEMAND + "idle_seconds = 60")
    await kept.look(lambda: True)
    one = kept.roster.residents["a"]
    await kept.keeper.load(one)
    one.since -= 61
    kept.keeper.tend()
    with kept.roster.lease(one, RunningCall()):
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.02)
    assert (kept.states, kept.engine.log) == ({"a": "ready"}, ["+a"])


async def test_a_load_that_fails_is_tried_again_after_a_pause(kept: Kept) -> None:
    kept.write("a", ON_DEMAND + "[options]\nbad = true")
    await kept.look(lambda: True)
    one = kept.roster.residents["a"]
    await kept.keeper.load(one)
    kept.keeper.tend()
    assert (one.state, one.can_answer, one.reason) == ("failed", False, "RuntimeError: cannot read it")
    one.since -= RETRY_SECONDS
    kept.keeper.tend()
    assert (one.state, one.can_answer, one.reason) == ("unloaded", True, "RuntimeError: cannot read it")


async def test_an_entry_on_demand_that_changes_or_goes_is_unloaded(kept: Kept) -> None:
    kept.write("a", ON_DEMAND)
    await kept.look(lambda: True)
    await kept.keeper.load(kept.roster.residents["a"])
    kept.write("a", ON_DEMAND + "[options]\nv = 2")
    await kept.look(lambda: kept.engine.log == ["+a", "-a"])
    assert kept.states == {"a": "unloaded"}
