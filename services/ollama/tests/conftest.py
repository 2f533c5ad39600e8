"""A simulated Ollama for each test that wants one, and the engine in front of it, asked as the SDK asks it."""

import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1]
sys.path.insert(0, str(FOLDER))
sys.path.insert(0, str(Path(__file__).parent / "simulator"))

from ollama_simulator import Simulator, stocked  # noqa: E402 - the folders have to be on the path first

from nexus.contract.wire.chat import ChatRequest  # noqa: E402
from nexus.contract.wire.completions import CompletionRequest  # noqa: E402
from nexus.contract.wire.embeddings import EmbeddingsRequest  # noqa: E402
from nexus.sdk.engine import Call, Model  # noqa: E402

CONFIG: dict[str, Any] = {
    "NEXUS_OLLAMA_MODELS": "*",
    "NEXUS_OLLAMA_KEEP_ALIVE": None,
    "NEXUS_OLLAMA_MAX_CONTEXT": 0,
    "NEXUS_OLLAMA_FETCH_IMAGES": False,
    "NEXUS_OLLAMA_DIRECT": False,
}


class Driven:
    """An engine that has looked at its Ollama, asked as the SDK asks it: requests read from JSON."""

    def __init__(self, engine: Any, simulator: Simulator) -> None:
        self.engine = engine
        self.simulator = simulator
        self.found: dict[str, Any] = {}

    async def look(self, *wanted: Model) -> dict[str, Any]:
        self.found = {one.model.id: one for one in await self.engine.discover(wanted)}
        return self.found

    def call(self, model: str) -> Call:
        return Call("test", self.found[model].model, {})

    async def chat(self, said: Any = "hello", model: str = "qwen3:4b", **fields: Any) -> Any:
        fields.setdefault("messages", [{"role": "user", "content": said}])
        request = ChatRequest.model_validate_json(json.dumps({"model": model, **fields}))
        return await _all(await self.engine.chat_completions(request, self.call(model)))

    async def complete(self, prompt: Any, model: str = "qwen3:4b", **fields: Any) -> Any:
        request = CompletionRequest.model_validate_json(json.dumps({"model": model, "prompt": prompt, **fields}))
        return await _all(await self.engine.completions(request, self.call(model)))

    async def embed(self, given: Any, model: str = "nomic-embed-text:latest", **fields: Any) -> Any:
        request = EmbeddingsRequest.model_validate_json(json.dumps({"model": model, "input": given, **fields}))
        return await self.engine.embeddings(request, self.call(model))

    def last(self, path: str = "/api/chat") -> Any:
        """The body of the last request that Ollama got there."""
        return self.simulator.bodies(path)[-1]


async def _all(answer: Any) -> Any:
    return answer if isinstance(answer, dict) else [item async for item in answer]


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    simulator = stocked()
    yield simulator
    simulator.wire.close()


@pytest.fixture
async def make_driven(simulator: Simulator) -> AsyncIterator[Callable[..., Any]]:
    """Make an engine with some variables changed, that has looked once."""
    from engine import OllamaEngine

    made: list[Any] = []

    async def make(**config: Any) -> Driven:
        engine = OllamaEngine({**CONFIG, "NEXUS_OLLAMA_URL": simulator.wire.url, **config})
        await engine.open()
        made.append(engine)
        driven = Driven(engine, simulator)
        await driven.look()
        return driven

    yield make
    for engine in made:
        await engine.close()


@pytest.fixture
async def ollama(make_driven: Callable[..., Any]) -> Driven:
    driven: Driven = await make_driven()
    return driven
