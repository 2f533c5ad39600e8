"""What of Ollama's models is offered, and how it is told; load, unload, pull, delete and show."""

from contextlib import aclosing
from typing import Any

import pytest
from ollama_simulator import SimModel

from nexus.contract.errors import ApiError
from nexus.sdk.engine import Model


async def test_every_model_with_what_it_can(ollama: Any) -> None:
    operations = {name: found.model.operations for name, found in ollama.found.items()}
    assert operations == {
        "qwen3:4b": ("chat.completions", "completions"),
        "deepseek-r1:8b": ("chat.completions", "completions"),
        "gemma3:latest": ("chat.completions", "completions"),
        "nomic-embed-text:latest": ("embeddings",),
    }
    assert ollama.found["gemma3:latest"].model.aliases == ("gemma3",)
    assert {found.state for found in ollama.found.values()} == {"unloaded"}
    assert ollama.found["qwen3:4b"].model.digest.startswith("sha256:")


async def test_what_runs_is_told_with_its_memory(ollama: Any) -> None:
    await ollama.engine.load(ollama.found["qwen3:4b"].model)
    found = (await ollama.look())["qwen3:4b"]
    assert found.state == "ready"
    assert (found.model.vram_mb, found.model.memory_mb, found.model.context_length) == (2048, 512, 4096)
    await ollama.engine.unload(found.model)
    assert ollama.last("/api/generate") == {"model": "qwen3:4b", "keep_alive": 0, "stream": False}
    assert (await ollama.look())["qwen3:4b"].state == "unloaded"


async def test_what_ollama_has_no_more_is_not_unloaded(ollama: Any, simulator: Any) -> None:
    model = ollama.found["qwen3:4b"].model
    del simulator.models["qwen3:4b"]
    await ollama.look()
    asked = len(simulator.bodies("/api/generate"))
    await ollama.engine.unload(model)
    assert len(simulator.bodies("/api/generate")) == asked


async def test_an_embedding_model_is_loaded_by_embed(ollama: Any) -> None:
    model = ollama.found["nomic-embed-text:latest"].model
    await ollama.engine.load(model)
    assert ollama.last("/api/embed")["input"] == ""
    assert (await ollama.look())[model.id].state == "ready"
    await ollama.engine.unload(model)
    assert (await ollama.look())[model.id].state == "unloaded"


async def test_entries_give_names_context_and_defaults(make_driven: Any) -> None:
    ollama = await make_driven(NEXUS_OLLAMA_KEEP_ALIVE="10m")
    options = {"model": "qwen3:4b", "num_ctx": 16384, "keep_alive": "-1", "options": {"temperature": 0.2}}
    entry = Model(id="house", aliases=("h",), options=options)
    found = await ollama.look(entry)
    assert found["house"].model.aliases == ("h", "qwen3:4b")
    assert found["house"].model.context_length == 16384
    assert "qwen3:4b" not in found
    await ollama.chat("x", model="house")
    body = ollama.last()
    assert (body["model"], body["keep_alive"]) == ("qwen3:4b", -1)
    assert body["options"] == {"num_ctx": 16384, "temperature": 0.2}
    await ollama.chat("x", model="gemma3:latest")
    assert ollama.last()["keep_alive"] == "10m"


async def test_models_of_keep_alive_0_are_not_loaded_beforehand(make_driven: Any) -> None:
    ollama = await make_driven(NEXUS_OLLAMA_KEEP_ALIVE="0")
    await ollama.engine.load(ollama.found["qwen3:4b"].model)
    assert ollama.simulator.bodies("/api/generate") == []


async def test_an_entry_without_its_model_says_what_to_do(ollama: Any) -> None:
    found = await ollama.look(Model(id="llama3.2"), Model(id="bad", options={"num_ctx": -1}))
    assert (found["llama3.2"].state, found["bad"].state) == ("failed", "failed")
    assert found["llama3.2"].reason == "llama3.2:latest: Ollama does not have it: pull it"
    assert found["bad"].reason.startswith("options.num_ctx")


async def test_patterns_and_what_runs_elsewhere(make_driven: Any, simulator: Any) -> None:
    simulator.models["big:cloud"] = SimModel(remote_host="https://ollama.com:443")
    simulator.models["painter:latest"] = SimModel(capabilities=("image",))
    ollama = await make_driven()
    assert "big:cloud" not in ollama.found  # it would leave the house
    assert "painter:latest" not in ollama.found
    assert "big:cloud" in await ollama.look(Model(id="big:cloud"))
    chosen = await make_driven(NEXUS_OLLAMA_MODELS="qwen3:*, gemma3")
    assert set(chosen.found) == {"qwen3:4b", "gemma3:latest"}
    with pytest.raises(ApiError) as caught:
        await _pulled(chosen, "llama3.2")
    assert caught.value.status == 403


async def test_an_older_ollama_is_asked_for_capabilities(make_driven: Any, simulator: Any) -> None:
    simulator.tags_tell_capabilities = False
    ollama = await make_driven()
    assert ollama.found["nomic-embed-text:latest"].model.operations == ("embeddings",)
    shown = len(simulator.bodies("/api/show"))
    await ollama.look()
    assert len(simulator.bodies("/api/show")) == shown == 4  # once for each digest


async def test_no_models_at_all(make_driven: Any, simulator: Any) -> None:
    simulator.models.clear()  # Go writes null for the empty list
    assert (await make_driven()).found == {}


async def test_a_pull_tells_its_bytes(ollama: Any) -> None:
    items = await _pulled(ollama, "llama3.2")
    assert items[0] == {"status": "pulling manifest", "completed": None, "total": None, "digest": None}
    layers = [item for item in items if item["digest"]]
    assert [(item["completed"], item["total"]) for item in layers] == [(n, 400) for n in (0, 100, 200, 300, 400)]
    assert items[-1]["status"] == "success"
    assert "llama3.2:latest" in await ollama.look()


async def test_a_pull_that_breaks_off_goes_on(ollama: Any) -> None:
    with pytest.raises(ApiError) as caught:
        await _pulled(ollama, "halfway")
    assert caught.value.status == 502
    found = await ollama.look(Model(id="halfway"))
    assert found["halfway"].reason == "halfway:latest: Ollama does not have it: pull it"
    layers = [item for item in await _pulled(ollama, "halfway") if item["digest"]]
    assert [item["completed"] for item in layers] == [300, 400]
    assert (await ollama.look(Model(id="halfway")))["halfway"].state == "unloaded"


async def test_a_pull_without_success_is_none(ollama: Any) -> None:
    with pytest.raises(ApiError, match="goes on where it was"):
        await _pulled(ollama, "unfinished")


async def test_a_pull_of_nothing_is_an_error_inside_a_200(ollama: Any) -> None:
    with pytest.raises(ApiError, match="file does not exist"):
        await _pulled(ollama, "nosuch")


async def test_while_it_is_pulled_an_entry_says_so(ollama: Any) -> None:
    async with aclosing(ollama.engine.pull("llama3.2", ollama.call("qwen3:4b"))) as items:
        await anext(items)
        found = await ollama.look(Model(id="llama3.2"))
        assert found["llama3.2"].reason == "llama3.2:latest: it is being pulled"
    assert ollama.engine._shelf.pulling == set()


async def test_delete_and_show(ollama: Any) -> None:
    model = ollama.found["qwen3:4b"].model
    shown = (await ollama.engine.show(model))["ollama"]
    assert shown["model_info"]["qwen3.context_length"] == 32768
    assert "license" not in shown
    assert await ollama.engine.show(Model(id="llama3.2")) == {}
    await ollama.engine.delete(model)
    assert "qwen3:4b" not in await ollama.look()
    with pytest.raises(ApiError) as caught:
        await ollama.engine.delete(model)
    assert caught.value.code == "model_not_found"


async def test_the_direct_way_only_where_it_is_wanted(make_driven: Any, simulator: Any) -> None:
    assert (await make_driven()).engine.base_url is None
    assert (await make_driven(NEXUS_OLLAMA_DIRECT=True)).engine.base_url == simulator.wire.url


async def _pulled(ollama: Any, name: str) -> list[Any]:
    async with aclosing(ollama.engine.pull(name, ollama.call("qwen3:4b"))) as items:
        return [item async for item in items]
