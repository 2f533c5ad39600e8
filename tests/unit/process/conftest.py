"""What the tests of processes share: waiting on a condition."""

import asyncio
from collections.abc import Callable

import pytest


@pytest.fixture
def until() -> Callable[..., object]:
    """Waits on the loop until a condition holds."""

    async def wait(condition: Callable[[], object], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)

    return wait
