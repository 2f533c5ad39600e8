"""What is read out of the answers of the stack's own processes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from nexus.stack.probe import Answer, Endpoint, ask, read_answer, ready_instances


@asynccontextmanager
async def serving(*pieces: bytes) -> AsyncIterator[tuple[Endpoint, list[bytes]]]:
    """A server that gives one answer in pieces, and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield Endpoint("127.0.0.1", server.sockets[0].getsockname()[1]), asked


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b'{"status":"ready"}', Answer(503, "ready")),
        (b'{"status":"failed","reason":"no weights"}', Answer(503, "failed", "no weights")),
        (b'{"checks":{"engine":"ready","model m":"loading"}}', Answer(503, "", "model m: loading")),
        (b"[]", Answer(503)),
        (b"sorry", Answer(503)),
    ],
)
async def test_the_reason_of_a_readiness_answer(body: bytes, answer: Answer) -> None:
    async with serving(b"HTTP/1.1 503 Not yet\r\n\r\n", body) as (endpoint, asked):
        assert await ask(endpoint, "/readyz") == answer
    assert asked[0].startswith(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize("data", [b"SSH-2.0-x\r\n", b"HTTP/1.1 abc x\r\n\r\n", b"HTTP/1.1", b""])
def test_what_is_not_http(data: bytes) -> None:
    assert read_answer(data) is None


def test_an_answer_without_a_reason_phrase() -> None:
    assert read_answer(b"HTTP/1.1 204\r\n\r\n") == (204, None)


async def test_nobody_there() -> None:
    async with serving(b"") as (endpoint, _):
        pass
    assert await ask(endpoint, "/readyz") is None
    assert await ready_instances(endpoint, None) == frozenset()


async def test_the_instances_that_the_gateway_uses() -> None:
    body = b"""{"data": [{"instances": [{"url": "http://a", "state": "ready"}, {"url": "http://b", "state": "new"}]},
        {"instances": [{"url": "http://c", "state": "ready"}]}, {}]}"""
    async with serving(b"HTTP/1.1 200 OK\r\n\r\n" + body) as (endpoint, asked):
        assert await ready_instances(endpoint, "sk-1") == {"http://a", "http://c"}
    assert b"\r\nAuthorization: Bearer sk-1\r\n" in asked[0]


def test_an_ipv6_authority_is_bracketed() -> None:
    assert Endpoint("::1", 80).authority == "[::1]:80"
