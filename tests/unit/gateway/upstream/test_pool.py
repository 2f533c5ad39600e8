"""Connections are opened, kept, used again newest first, bounded and closed when they have idled."""

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest

from nexus.gateway.upstream import pool as pool_module
from nexus.gateway.upstream.connection import Connection
from nexus.gateway.upstream.pool import IDLE_SECONDS, ConnectError, Pool
from tests.servers.caller import Caller
from tests.servers.listeners import full_listener
from tests.servers.peer import Peer, Side

HEAD = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture
async def pool(peer: Peer) -> AsyncIterator[Pool]:
    pool = Pool(peer.url, ssl.create_default_context, asyncio.get_running_loop())
    yield pool
    pool.close()


async def used(pool: Pool, peer: Peer) -> tuple[Connection, Side]:
    """A connection that has answered once and was given back."""
    connection = await Caller().run(pool.open())
    side = await peer.accept()
    await answer_once(connection, side)
    return connection, side


async def answer_once(connection: Connection, side: Side) -> None:
    answer = connection.request(HEAD, b"")
    side.answer()

    async def wait() -> None:
        while not answer.complete:
            await answer

    await Caller().run(wait())
    connection.release()


async def gone(connection: Connection) -> None:
    """Wait until the loop has told the connection that it is closed."""
    async with asyncio.timeout(5):
        while not connection.closed:
            await asyncio.sleep(0)


async def test_a_new_pool_has_nothing(pool: Pool, peer: Peer) -> None:
    assert not pool.idle
    assert pool.in_flight == 0
    assert pool.address.port == peer.port


async def test_the_newest_is_taken_first(pool: Pool, peer: Peer) -> None:
    first, first_side = await used(pool, peer)
    assert pool.idle.pop() is first
    second, _ = await used(pool, peer)
    await answer_once(first, first_side)
    assert [pool.idle.pop(), pool.idle.pop()] == [first, second]
    assert not pool.idle


async def test_an_idle_connection_that_closes_is_forgotten(pool: Pool, peer: Peer) -> None:
    connection, side = await used(pool, peer)
    side.close()
    await gone(connection)
    assert not pool.idle


async def test_what_has_idled_too_long_is_closed(pool: Pool, peer: Peer) -> None:
    connection, side = await used(pool, peer)
    pool.expire(connection.idle_since + IDLE_SECONDS)
    assert pool.idle.pop() is connection
    await answer_once(connection, side)
    pool.expire(connection.idle_since + IDLE_SECONDS + 1)
    assert not pool.idle
    await side.closed()


async def test_a_pool_with_nothing_open_and_nothing_running_may_go(pool: Pool, peer: Peer) -> None:
    connection, _ = await used(pool, peer)
    now = connection.idle_since
    assert not pool.expire(now)
    assert not pool.expire(now + 2 * IDLE_SECONDS)
    await gone(connection)
    pool.in_flight += 1
    assert not pool.expire(now + 3 * IDLE_SECONDS)
    pool.in_flight -= 1
    assert pool.expire(now + 3 * IDLE_SECONDS)


async def test_no_more_than_so_many_are_kept_and_the_oldest_goes(
    pool: Pool, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "IDLE_CONNECTIONS", 2)
    made = []
    for _ in range(3):
        connection = await Caller().run(pool.open())
        made.append((connection, await peer.accept()))
    for connection, side in made:
        await answer_once(connection, side)
    await made[0][1].closed()
    assert [pool.idle.pop(), pool.idle.pop()] == [made[2][0], made[1][0]]
    assert not pool.idle


async def test_a_refused_connection_is_told_as_such(peer: Peer) -> None:
    await peer.stop()
    pool = Pool(peer.url, ssl.create_default_context, asyncio.get_running_loop())
    with pytest.raises(ConnectError, match=r"(?i)refused"):
        await Caller().run(pool.open())
    assert pool.expire(0)


@pytest.mark.parametrize("host", ["nexus-nowhere.invalid", "xn--" + "a" * 80, "a..b"])
async def test_a_host_that_is_none_is_told_as_such(host: str) -> None:
    pool = Pool(f"http://{host}:1", ssl.create_default_context, asyncio.get_running_loop())
    with pytest.raises(ConnectError):
        await Caller().run(pool.open())


async def test_a_service_that_does_not_speak_tls_is_told_as_such(peer: Peer) -> None:
    pool = Pool(f"https://127.0.0.1:{peer.port}", ssl.create_default_context, asyncio.get_running_loop())
    caller = Caller()
    caller.start(pool.open())
    side = await peer.accept()
    side.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    side.close()
    with pytest.raises(ConnectError):
        await caller.result()
    pool.close()


async def test_an_interruption_ends_the_attempt() -> None:
    with full_listener() as port:
        pool = Pool(f"http://127.0.0.1:{port}", ssl.create_default_context, asyncio.get_running_loop())
        caller = Caller()
        caller.start(pool.open())
        assert not pool.expire(0)
        caller.interrupt(TimeoutError("too slow"))
        with pytest.raises(TimeoutError, match="too slow"):
            await caller.result()
        async with asyncio.timeout(5):
            while not pool.expire(0):
                await asyncio.sleep(0)


async def test_closing_ends_what_is_idle_what_is_busy_and_what_is_opening(pool: Pool, peer: Peer) -> None:
    _, idle_side = await used(pool, peer)
    busy = await Caller().run(pool.open())
    busy_side = await peer.accept()
    answer = busy.request(HEAD, b"")
    opening = Caller()
    opening.start(pool.open())
    pool.close()
    await idle_side.closed()
    await busy_side.closed()
    await gone(busy)
    assert answer.failure
    opening.leave()
    with pytest.raises(Exception, match="gone"):
        await opening.result()
