"""ComfyUI's websocket: the one seam to the package websockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

_OPEN_SECONDS: Final = 3.0
_CLOSE_SECONDS: Final = 0.2
_PING_SECONDS: Final = 20.0
_MOST_BYTES: Final = 32 * 1024 * 1024


class HungUpError(Exception):
    """The websocket is closed: nothing more comes."""


class Messages:
    """What the engine says to one client."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def heard(self, seconds: float) -> str | bytes | None:
        """The next message; None where none comes within so long. Raises HungUpError."""
        try:
            async with asyncio.timeout(seconds):
                return await self._connection.recv()
        except TimeoutError:
            return None
        except ConnectionClosed as error:
            raise HungUpError from error


@asynccontextmanager
async def listening(base_url: str, client_id: str) -> AsyncIterator[Messages | None]:
    """The engine's messages to `client_id`; None where it takes no websocket."""
    address = f"ws{base_url.removeprefix('http')}/ws?clientId={client_id}"
    try:
        connection = await connect(
            address,
            open_timeout=_OPEN_SECONDS,
            close_timeout=_CLOSE_SECONDS,
            ping_interval=_PING_SECONDS,
            max_size=_MOST_BYTES,
            proxy=None,  # the engine is a neighbour, whatever the environment says of the outside
        )
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI):
        yield None
        return
    try:
        yield Messages(connection)
    finally:
        await connection.close()
