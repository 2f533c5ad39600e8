"""What is read out of a health endpoint's answer."""

import asyncio

import pytest

from nexus.stack.probe import Answer, ask, read_answer


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b'HTTP/1.1 200 OK\r\n\r\n{"status":"ready"}', Answer(200, "ready")),
        (b'HTTP/1.1 503 X\r\n\r\n{"status":"failed","reason":"no weights"}', Answer(503, "failed", "no weights")),
        (
            b'HTTP/1.1 503 X\r\n\r\n{"checks":{"engine":"ready","model m":"loading"}}',
            Answer(503, "", "model m: loading"),
        ),
        (b'HTTP/1.1 503 X\r\n\r\n{"status":"loading"}', Answer(503, "loading")),
        (b"HTTP/1.1 200 OK\r\n\r\n[]", Answer(200)),
        (b"HTTP/1.1 204\r\n\r\n", Answer(204)),
        (b"SSH-2.0-x\r\n", None),
        (b"HTTP/1.1 abc x\r\n\r\n", None),
        (b"", None),
    ],
)
def test_answers(data: bytes, answer: Answer | None) -> None:
    assert read_answer(data) == answer


async def test_asking_over_a_connection() -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b'HTTP/1.1 200 OK\r\n\r\n{"status":')
        await writer.drain()
        writer.write(b'"ready"}')
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await ask("127.0.0.1", port, "/readyz") == Answer(200, "ready")
    assert asked[0].startswith(b"GET /readyz HTTP/1.1\r\n")
    assert await ask("127.0.0.1", port, "/readyz") is None
