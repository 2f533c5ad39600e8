"""InvokeAI's socket.io: the one seam to the package python-socketio."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from socketio import AsyncClient
from socketio.exceptions import SocketIOError

from nexus_invokeai.progression import EVENTS

_PATH: Final = "/ws/socket.io"
_OPEN_SECONDS: Final = 3.0
_MOST_WAITING: Final = 4096


class HungUpError(Exception):
    """The socket is closed: nothing more comes."""


class Events:
    """What the engine says of its queue, event by event."""

    def __init__(self) -> None:
        self._heard: asyncio.Queue[tuple[str, Any] | None] = asyncio.Queue(_MOST_WAITING)

    async def heard(self, seconds: float) -> tuple[str, Any] | None:
        """The next event and its data; None where none comes within so long. Raises HungUpError."""
        try:
            async with asyncio.timeout(seconds):
                one = await self._heard.get()
        except TimeoutError:
            return None
        if one is None:
            raise HungUpError
        return one

    def listener(self, name: str) -> Callable[[Any], Awaitable[None]]:
        """What takes the events of a name."""

        async def take(data: Any) -> None:
            await self._heard.put((name, data))

        return take

    async def hung_up(self, *_: Any) -> None:
        await self._heard.put(None)


@asynccontextmanager
async def listening(base_url: str, queue_id: str, token: str | None) -> AsyncIterator[Events | None]:
    """The events of a queue; None where the engine takes no socket, or not with this token."""
    client, events = AsyncClient(reconnection=False, handle_sigint=False), Events()
    for name in EVENTS:
        client.on(name, events.listener(name))
    client.on("disconnect", events.hung_up)
    try:
        async with asyncio.timeout(_OPEN_SECONDS):
            await client.connect(
                base_url,
                socketio_path=_PATH,
                transports=["websocket"],
                auth={"token": token} if token else None,
                wait_timeout=_OPEN_SECONDS,
            )
            await client.emit("subscribe_queue", {"queue_id": queue_id})
    except (SocketIOError, OSError, TimeoutError):
        await _closed(client)
        yield None
        return
    try:
        yield events
    finally:
        await _closed(client)


async def _closed(client: AsyncClient) -> None:
    """End the connection, and its HTTP session, whatever state it is in."""
    with suppress(SocketIOError, OSError, TimeoutError):
        async with asyncio.timeout(1.0):
            await client.disconnect()
    session = client.eio.http
    if session is not None and not session.closed:
        await session.close()
