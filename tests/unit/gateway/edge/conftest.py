"""The edge on a loopback port, with a story and limits as a test wants them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from nexus.gateway.allowlist import CLOSED, Allowlist
from nexus.gateway.drive import Signal
from nexus.gateway.edge.auth import Keyring, digest
from nexus.gateway.edge.context import Edge, Limits
from nexus.gateway.edge.guard import Guard
from nexus.gateway.edge.protocol import EdgeProtocol
from nexus.gateway.edge.sweeper import Sweeper
from nexus.gateway.endpoints import find
from nexus.gateway.registry.snapshot import Snapshot
from nexus.gateway.values import Client, Outcome, Request
from nexus.policies.token import Token
from tests.servers.http import Connection

TOKEN = "sk-test"
Story = Callable[[Request, Client], Coroutine[Signal, None, None]]


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Stands for the control plane: says which path it was asked for, once the whole body is there (but for /early)."""
    size, more = 0, scope["path"] != "/early"
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = f"{scope['method']} {scope['path']} {size}".encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def echo(request: Request, client: Client) -> None:
    """Answers with the request's body."""
    client.send_whole(200, b"x-request-id: " + request.request_id.encode() + b"\r\n", request.body)


@dataclass
class Served:
    """A running edge: `told` are the requests whose story was told, `recorded` what was refused before."""

    port: int
    told: list[Request]
    recorded: list[Outcome]
    keyring: Keyring
    guard: Guard
    edge: Edge
    opened: list[Connection] = field(default_factory=list)

    async def connect(self) -> Connection:
        connection = await Connection.open(self.port)
        self.opened.append(connection)
        return connection


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Any]]:
    """`serve(story, **limits)` starts an edge whose deadlines are swept."""
    running: list[tuple[asyncio.Server, Sweeper, Served]] = []
    loop = asyncio.get_running_loop()

    async def start(story: Story = echo, guard: Guard | None = None, **limits: Any) -> Served:
        told: list[Request] = []
        recorded: list[Outcome] = []

        async def tell(request: Request, client: Client) -> None:
            told.append(request)
            await story(request, client)

        keyring = Keyring([Token(digest(TOKEN), "administrator"), Token(digest("sk-ada"), "ada")])
        edge = Edge(
            guard=guard or Guard(Allowlist(CLOSED)),
            limits=Limits(**limits),
            keyring=keyring,
            find=lambda method, path: find(method, path, Snapshot()),
            story=tell,
            record=recorded.append,
        )
        config = uvicorn.Config(application, ws="none", lifespan="off", log_config=None, access_log=False)  # type: ignore[arg-type]
        config.load()
        state = ServerState()
        state.default_headers = [(b"date", b"today")]
        factory = partial(EdgeProtocol, config=config, server_state=state, app_state={}, edge=edge)
        server = await loop.create_server(factory, "127.0.0.1", 0)
        sweeper = Sweeper(edge, loop)
        sweeper.start()
        served = Served(server.sockets[0].getsockname()[1], told, recorded, keyring, edge.guard, edge)
        running.append((server, sweeper, served))
        return served

    yield start
    for server, sweeper, served in running:
        for connection in served.opened:
            connection.close()
        server.close()
        await server.wait_closed()
        sweeper.stop()
