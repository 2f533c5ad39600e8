"""Asks a service how far a call is: `GET /v1/calls/{request id}`, which the SDK serves. Others need not have it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from nexus.gateway.registry.fetch import BadAnswerError, NoAnswerError, Page
from nexus.gateway.registry.snapshot import Instance

LOOK_SECONDS: Final = 1.0
_LARGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a call is, 0 to 1, and what is being done."""

    fraction: float
    message: str


class _Told(msgspec.Struct):
    progress: float = 0.0
    message: str = ""


class Watcher:
    """Remembers what it saw last: a look that fails changes nothing, and progress never goes back within a run."""

    def __init__(self, get: Callable[..., Awaitable[Page]]) -> None:
        self._get = get
        self._seen: Seen | None = None

    async def look(self, instance: Instance, request_id: str) -> Seen | None:
        """What is known now; None where nothing ever was."""
        told = await self._ask(f"{instance.url}/v1/calls/{request_id}", instance.authorization)
        if told is not None:
            before = self._seen.fraction if self._seen else 0.0
            self._seen = Seen(min(1.0, max(before, told.progress)), told.message[:200])
        return self._seen

    async def _ask(self, url: str, authorization: str | None) -> _Told | None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                page = await self._get(url, limit=_LARGEST, authorization=authorization)
        except (TimeoutError, NoAnswerError, BadAnswerError):
            return None
        if page.status != 200:
            return None
        try:
            return msgspec.json.decode(page.body, type=_Told)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
