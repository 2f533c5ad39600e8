"""Simulated upstreams, and the engine in front of them, asked as the SDK asks it."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1]
sys.path.insert(0, str(FOLDER))
sys.path.insert(0, str(Path(__file__).parent / "simulator"))

from openai_upstream import Upstream, serving  # noqa: E402 - the folders have to be on the path first

from nexus.sdk.engine import Call, Form, Model  # noqa: E402


class Driven:
    """An engine asked as the SDK asks it."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.found: dict[str, Any] = {}

    async def look(self, *wanted: Model) -> dict[str, Any]:
        self.found = {one.model.id: one for one in await self.engine.discover(wanted)}
        return self.found

    def call(self, model: str) -> Call:
        return Call("test", self.found[model].model, {})

    async def ask(self, operation: str, request: dict[str, Any] | Form, model: str = "small") -> Any:
        """The whole answer, or the items of a stream."""
        if isinstance(request, dict):
            request = {"model": model, **request}
        value = await getattr(self.engine, operation.replace(".", "_"))(request, self.call(model))
        return [item async for item in value] if hasattr(value, "__aiter__") else value


def entry(upstream: Upstream, name: str = "up", **options: Any) -> Model:
    """The entry that describes an upstream."""
    return Model(id=name, options={"url": upstream.url, **options})


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with serving(Upstream()) as upstream:
        yield upstream


@pytest.fixture
def describe() -> Callable[..., Model]:
    return entry


@pytest.fixture
async def engine() -> AsyncIterator[Driven]:
    from engine import OpenAiCompatibleEngine

    made = OpenAiCompatibleEngine({})
    await made.open()
    yield Driven(made)
    await made.close()


@pytest.fixture
async def relayed(engine: Driven, upstream: Upstream) -> Driven:
    """An engine that has looked at one upstream."""
    await engine.look(entry(upstream))
    return engine
