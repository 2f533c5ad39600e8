"""uvicorn as the gateway's server: the socket, the edge's protocol in the place of its own, and how it ends.

The end, once SIGTERM or SIGINT asks for it: not ready for the notice, still serving, each answer the last one on its
connection; then nothing new is taken, idle connections are closed, and what runs has the drain's seconds to end; what
is left then is told so. A second SIGINT ends it on the spot.
"""

import asyncio
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI

from nexus.gateway.edge.certificates import CertificateFiles
from nexus.gateway.edge.context import Edge
from nexus.gateway.edge.protocol import EdgeProtocol
from nexus.gateway.front import strict_transport
from nexus.gateway.settings import Settings, SettingsError

BACKLOG: Final = 4096
_SETTLING_TURNS: Final = 3
"""Turns of the loop in which what is closed is let go of, and last bytes are written."""


class Server(uvicorn.Server):
    """Ends when a signal asks for it, and leaves it at that: uvicorn's own raises the signal again before it returns.

    The process would be gone before connections are closed and the last lines of the log written. `on_started` is told
    once connections are taken.
    """

    def __init__(self, config: uvicorn.Config, edge: Edge, notice: float, now: Callable[[], float] = monotonic) -> None:
        super().__init__(config)
        self._edge = edge
        self._notice = notice
        self._now = now
        self._ends_at: float | None = None
        self.on_started: Callable[[], None] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.on_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first time: end after the notice. Again: at once, by SIGINT without waiting for what runs."""
        if self._ends_at is None:
            self._ends_at = self._now() + self._notice
            return
        self.force_exit = sig == signal.SIGINT
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """uvicorn asks ten times a second whether to end."""
        if self._ends_at is not None:
            self._edge.begin_drain()
            self.should_exit = self.should_exit or self._now() >= self._ends_at
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nothing new, let what runs end, and tell what is left that it is cut off by us."""
        self._edge.begin_drain()
        await self._accept_the_rest(sockets or [])
        await super().shutdown(sockets)
        self._edge.break_off()
        for _ in range(_SETTLING_TURNS):
            await asyncio.sleep(0)

    async def _accept_the_rest(self, listeners: Sequence[socket.socket]) -> None:
        """Serve whom the kernel has let in already: it would reset their connections when the listener is closed.

        A copy of the listener stays open until they are taken, between the loop's last turn for it and its end.
        """
        copies = [listener.dup() for listener in listeners]
        for server in self.servers:
            server.close()
        for _ in range(_SETTLING_TURNS):
            await asyncio.sleep(0)
        accepted = [connection for copy in copies for connection in _accepted(copy)]
        loop = asyncio.get_running_loop()
        for connection in accepted:
            with suppress(OSError):  # a client that has left already, or fails its handshake
                await loop.connect_accepted_socket(self._protocol, connection, ssl=self.config.ssl)

    def _protocol(self) -> asyncio.Protocol:
        """One more connection's, as uvicorn makes them."""
        state, config = self.server_state, self.config
        return config.http_protocol_class(config=config, server_state=state, app_state=self.lifespan.state)  # type: ignore[call-arg]


def listen(settings: Settings) -> socket.socket:
    """The bound socket, or the one that was inherited. Raises SettingsError when the address cannot be had."""
    if settings.listener_fd is not None:
        return socket.socket(fileno=settings.listener_fd)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise SettingsError(f"NEXUS_PORT: {settings.host}:{settings.port} cannot be listened on: {reason}") from error
    return listener


def create_server(api: FastAPI, edge: Edge, settings: Settings, certificate: CertificateFiles | None) -> Server:
    """The server of `api` and of the lane."""
    config = uvicorn.Config(
        api,
        http=partial(EdgeProtocol, edge=edge),  # type: ignore[arg-type]  # it is called, as a class would be
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=settings.drain_seconds,  # type: ignore[arg-type]  # it goes to asyncio.wait_for
        proxy_headers=False,  # it would take the word of any proxy on this machine; the guard knows whose counts
        headers=strict_transport(settings),
        ssl_context_factory=None if certificate is None else lambda *_: certificate.context,
    )
    return Server(config, edge, settings.drain_notice)


def _accepted(listener: socket.socket) -> list[socket.socket]:
    """The connections that wait to be accepted, as many as there can be; nothing else is done until it is closed."""
    connections: list[socket.socket] = []
    with listener, suppress(BlockingIOError):
        listener.setblocking(False)
        while len(connections) < BACKLOG:
            connections.append(listener.accept()[0])
    return connections
