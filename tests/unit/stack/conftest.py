"""What the tests of the stack share: a small real service, and waiting on a condition."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

SERVICE = """
[service]
name = "{name}"
engine = "engine:Greeter"
[[endpoints]]
operation = "{name}.greet"
path = "/v1/{name}/greet"
"""
ENGINE = """
from typing import Any
from nexus.sdk.engine import Call, Engine

class Greeter(Engine):
    async def {name}_greet(self, request: dict[str, Any], call: Call) -> dict[str, Any]:
        return {{"hello": request.get("name")}}
"""


@pytest.fixture
def make_service() -> Callable[[Path], Path]:
    """Writes a small whole service into a folder."""

    def make(folder: Path) -> Path:
        folder.mkdir(parents=True)
        (folder / "engine.py").write_text(ENGINE.format(name=folder.name))
        (folder / "service.toml").write_text(SERVICE.format(name=folder.name))
        return folder

    return make


@pytest.fixture
def until() -> Callable[..., object]:
    """Waits on the loop until a condition holds."""

    async def wait(condition: Callable[[], object], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "the condition never held"
            await asyncio.sleep(0.01)

    return wait
