"""How the server ends: not ready first, then without new connections, then for good."""

import asyncio
import signal
import socket

import pytest
import uvicorn

from nexus.gateway.allowlist import Allowlist
from nexus.gateway.edge.auth import Keyring
from nexus.gateway.edge.context import Edge, Limits
from nexus.gateway.edge.guard import Guard
from nexus.gateway.server import Server
from nexus.gateway.values import Client, Outcome, Request
from tests.servers.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(100.0)


@pytest.fixture
def edge() -> Edge:
    async def story(request: Request, client: Client) -> None: ...

    def record(outcome: Outcome) -> None: ...

    return Edge(Limits(), Keyring(), Guard(Allowlist({})), lambda method, path: None, story, record)


def make_server(edge: Edge, clock: Clock, notice: float) -> Server:
    async def application(scope: object, receive: object, send: object) -> None: ...

    return Server(uvicorn.Config(application, lifespan="off", log_config=None), edge, notice, clock)  # type: ignore[arg-type]


async def test_it_serves_on_for_the_notice_and_is_not_ready_meanwhile(edge: Edge, clock: Clock) -> None:
    server = make_server(edge, clock, notice=5)
    assert not await server.on_tick(1)
    assert not edge.draining
    version = edge.keyring.version
    server.handle_exit(signal.SIGTERM, None)
    assert not await server.on_tick(1)
    assert edge.draining
    assert edge.keyring.version == version + 1, "heads that were known are read anew"
    clock.now = 104.9
    assert not await server.on_tick(1)
    assert edge.keyring.version == version + 1
    clock.now = 105
    assert await server.on_tick(1)


@pytest.mark.parametrize(("again", "forced"), [(signal.SIGTERM, False), (signal.SIGINT, True)])
async def test_asked_again_it_waits_no_longer(edge: Edge, clock: Clock, again: int, forced: bool) -> None:
    server = make_server(edge, clock, notice=3600)
    server.handle_exit(signal.SIGTERM, None)
    assert not server.should_exit
    server.handle_exit(again, None)
    assert await server.on_tick(1)
    assert server.force_exit is forced


async def test_without_a_notice_it_ends_at_the_next_tick(edge: Edge, clock: Clock) -> None:
    server = make_server(edge, clock, notice=0)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    serving = asyncio.create_task(server._serve([listener]))
    while not server.started:
        await asyncio.sleep(0)
    server.handle_exit(signal.SIGTERM, None)
    await asyncio.wait_for(serving, 10)
    assert edge.draining
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_it_says_that_it_has_started_once_connections_are_taken(edge: Edge, clock: Clock) -> None:
    server = make_server(edge, clock, notice=0)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        connected: list[str] = []

        def started() -> None:
            with socket.create_connection(listener.getsockname(), 5) as client:
                connected.append(client.getpeername()[0])
            server.should_exit = True

        server.on_started = started
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(listener.getsockname(), 5)
        async with asyncio.timeout(10):
            await server.serve(sockets=[listener])
    assert connected == ["127.0.0.1"]
