"""Rings when something about jobs has changed, so that whoever waits looks again before its time."""

import asyncio


class Bell:
    """Anyone may ring; all that wait are woken. Other gateways' changes ring no bell here: waits are bounded."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        rung, self._rung = self._rung, asyncio.Event()
        rung.set()

    async def wait(self, seconds: float) -> None:
        """Until it rings, or so long."""
        rung = self._rung
        try:
            async with asyncio.timeout(seconds):
                await rung.wait()
        except TimeoutError:
            return
