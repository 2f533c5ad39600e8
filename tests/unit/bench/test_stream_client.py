"""The stream client against the real upstream, in one loop."""

import asyncio

from bench.processes import free_port
from bench.stream_client import load, parse_arguments
from bench.upstream.streaming import Upstream
from bench.workload import PATH, TOKEN, stream_body


async def read_streams(*, tokens: int, expected: int, interval_ms: float = 0) -> dict[str, object]:
    port = free_port()
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    argv = ["--url", f"http://127.0.0.1:{port}{PATH}", "--token", TOKEN, "--timed", "--streams", "3", "--repeat", "2"]
    argv += ["--tokens", str(expected), "--body", stream_body(tokens, interval_ms).decode()]
    async with server:
        return await load(parse_arguments(argv))


async def test_whole_streams_are_counted_and_timed() -> None:
    result = await read_streams(tokens=500, expected=500)
    assert (result["whole"], result["broken"], result["tokens"]) == (6, 0, 3000)
    assert isinstance(result["first_p50_ms"], float)
    assert result["first_p50_ms"] > 0


async def test_paced_streams_take_their_time() -> None:
    result = await read_streams(tokens=5, expected=5, interval_ms=10)
    assert isinstance(result["seconds"], float)
    assert result["seconds"] >= 0.08
    assert result["whole"] == 6


async def test_a_stream_with_too_few_tokens_is_not_whole() -> None:
    result = await read_streams(tokens=9, expected=10)
    assert (result["whole"], result["broken"]) == (0, 6)
    assert result["reasons"] == {"9 of 10 tokens": 6}


async def test_a_refused_connection_is_counted() -> None:
    argv = [
        "--url",
        f"http://127.0.0.1:{free_port()}/",
        "--token",
        "t",
        "--body",
        "{}",
        "--streams",
        "2",
        "--tokens",
        "1",
    ]
    result = await load(parse_arguments(argv))
    assert result["reasons"] == {"connect: ConnectionRefusedError": 2}
