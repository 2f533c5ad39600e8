"""The seam to an engine's API against a server that answers, refuses, breaks off and stands still."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from nexus.contract.errors import MODEL_NOT_FOUND, ApiError
from nexus.sdk import upstream
from nexus.sdk.engine import Call, Engine
from nexus.sdk.upstream import SseEvent, Upstream


def whole(body: bytes, media_type: str = "application/json", status: str = "200 OK", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def begun(*pieces: bytes, media_type: str = "text/event-stream") -> bytes:
    """A chunked answer without its end."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


END = b"0\r\n\r\n"


class Server:
    """Answers each request with the bytes under its path, then `then`: keep the connection, "close" it or "hold" it."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[bytes, str]] = {}
        self.requests: list[tuple[str, bytes]] = []
        self.came = asyncio.Event()
        self.left = asyncio.Event()
        self.connections = 0
        self.url = ""

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.left.set()
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = [int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length:")]
        self.requests.append((head, await reader.readexactly(length[0]) if length else b""))
        answer, then = self.answers[head.split(" ")[1]]
        writer.write(answer)
        await writer.drain()
        self.came.set()
        if then == "hold":
            await reader.read()
        return then == ""


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.meet, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield made
    listening.close()


@pytest.fixture
async def engine(server: Server) -> AsyncIterator[Upstream]:
    made = Upstream(server.url, headers={"authorization": "Bearer k"}, first_byte=0.3, idle=0.3)
    yield made
    await made.close()


async def refused(work: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await work
    return caught.value


async def read(engine: Upstream, path: str, way: str) -> list[Any]:
    items: list[Any] = []
    async with engine.stream("POST", path, {"stream": True}) as response:
        async for item in getattr(response, way)():
            items.append(item)
    return items


async def test_values_and_bytes_over_one_connection(server: Server, engine: Upstream) -> None:
    server.answers = {
        "/v?a=1&b=x": (whole(b'{"n":1}'), ""),
        "/send": (whole(b"[2]", "text/plain"), ""),
        "/empty": (whole(b""), ""),
        "/bytes": (whole(b"\x00\x01", "image/png"), ""),
    }
    assert await engine.get_json("/v", a=1, b="x") == {"n": 1}
    assert await engine.send_json("POST", "/send", {"k": "ä"}, headers={"x-more": "1"}) == [2]
    assert await engine.send_json("DELETE", "/empty") is None
    assert await engine.get_bytes("/bytes") == (b"\x00\x01", "image/png")
    assert server.connections == 1
    head, body = server.requests[1]
    assert json.loads(body) == {"k": "ä"}
    assert "authorization: Bearer k" in head
    assert "x-more: 1" in head
    assert "accept-encoding: identity" in head.lower()


async def test_forms_and_raw_bytes(server: Server, engine: Upstream) -> None:
    server.answers = {"/form": (whole(b"{}"), ""), "/raw": (whole(b"{}"), "")}
    await engine.send_json("POST", "/form", files={"image": ("a.png", b"png", "image/png")}, data={"n": "1"})
    await engine.send_json("PUT", "/raw", content=b"raw", headers={"content-type": "application/x-raw"})
    form, raw = server.requests
    assert "multipart/form-data" in form[0]
    assert b'name="image"; filename="a.png"' in form[1]
    assert b'name="n"' in form[1]
    assert raw[1] == b"raw"


async def test_a_prefix_of_the_address_is_kept(server: Server) -> None:
    server.answers = {"/base/v": (whole(b"1"), "")}
    engine = Upstream(f"{server.url}/base/")
    assert await engine.get_json("/v") == 1
    await engine.close()


async def test_lines_in_any_cut(server: Server, engine: Upstream) -> None:
    pieces = (b'{"a":1}\r', b'\n{"b":"\xc3', b'\xa4"}\n\nla', b"st")
    server.answers = {"/l": (begun(*pieces, media_type="application/x-ndjson") + END, "")}
    assert await read(engine, "/l", "lines") == ['{"a":1}', '{"b":"ä"}', "", "last"]


async def test_events_without_comments(server: Server, engine: Upstream) -> None:
    pieces = (b": hello\n\nevent: x\nda", b"ta: 1\ndata: 2\n\n", b"data: [DONE]\n\ndata: unfinished")
    server.answers = {"/e": (begun(*pieces) + END, "")}
    assert await read(engine, "/e", "events") == [SseEvent("x", "1\n2"), SseEvent("", "[DONE]")]
    assert server.requests[0][1] == b'{"stream":true}'


async def test_chunks_and_what_is_said_of_them(server: Server, engine: Upstream) -> None:
    server.answers = {"/c": (whole(b"abc", "audio/wav", more="x-rate: 24000\r\n"), "")}
    async with engine.stream("GET", "/c") as response:
        assert (response.status, response.headers["x-rate"]) == (200, "24000")
        assert b"".join([chunk async for chunk in response.chunks()]) == b"abc"


async def test_nobody_there_is_a_503_to_try_again() -> None:
    with socket.socket() as taken:  # bound and not listening: refused
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        engine = Upstream(f"http://user:secret@127.0.0.1:{port}")
        error = await refused(engine.get_json("/"))
        await engine.close()
    assert (error.status, error.code) == (503, "no_ready_service")
    assert f"the engine at http://127.0.0.1:{port} cannot be reached" in error.message
    assert error.retry_after


async def test_an_address_that_is_none_is_refused_when_it_is_given() -> None:
    for address in ("localhost:1", "ftp://x", "http://"):
        with pytest.raises(ValueError, match="http or https URL"):
            Upstream(address)


@pytest.mark.parametrize("way", ["chunks", "lines", "events"])
async def test_an_answer_that_breaks_off_is_a_502(server: Server, engine: Upstream, way: str) -> None:
    server.answers = {"/cut": (begun(b"data: 1\n\n"), "close"), "/short": (whole(b"12")[:-1], "close")}
    error = await refused(read(engine, "/cut", way))
    assert (error.status, error.code) == (502, "upstream_error")
    assert "broke its answer off" in error.message
    assert (await refused(engine.get_json("/short"))).status == 502


async def test_an_answer_that_never_begins_is_a_502_or_a_504(server: Server, engine: Upstream) -> None:
    server.answers = {"/closed": (b"", "close"), "/late": (b"", "hold"), "/no": (b"not HTTP\r\n\r\n", "close")}
    assert (await refused(engine.get_json("/closed"))).status == 502
    assert (await refused(engine.get_json("/no"))).status == 502
    late = await refused(engine.get_json("/late"))
    assert (late.status, late.message) == (504, "the engine did not begin to answer within 0.3 seconds")


async def test_an_answer_that_stands_still_is_a_504(server: Server, engine: Upstream) -> None:
    server.answers = {"/still": (begun(b"data: 1\n\n"), "hold")}
    error = await refused(read(engine, "/still", "events"))
    assert (error.status, error.code) == (504, "upstream_timeout")
    assert "stood still for 0.3 seconds" in error.message


async def test_what_is_not_what_was_asked_for_is_a_502(server: Server, engine: Upstream) -> None:
    server.answers = {"/html": (whole(b"<html>", "text/html"), ""), "/json": (whole(b"{}"), "")}
    assert "/html with text/html, which is no JSON" in (await refused(engine.get_json("/html"))).message
    assert "application/json, not with events" in (await refused(read(engine, "/json", "events"))).message
    server.answers["/away"] = (whole(b"", status="302 Found", more="location: /json\r\n"), "")
    assert (await refused(engine.get_json("/away"))).message == "the engine answered with status 302"


async def test_half_characters_are_mended_and_names_that_no_address_can_hold_a_502(
    server: Server, engine: Upstream
) -> None:
    server.answers = {"/halves": (whole(b'{"a": "\\ud83d\\ude00", "b\\uDFFF": ["\\ud800"]}'), "")}
    assert await engine.get_json("/halves") == {"a": "\U0001f600", "b\ufffd": ["\ufffd"]}
    assert (await refused(engine.get_json("/a\x00b"))).code == "upstream_error"


async def test_refusals_are_the_engines_own_in_every_way(server: Server, engine: Upstream) -> None:
    body = b'{"error":"model \'x\' not found"}'
    server.answers = {
        "/404": (whole(body, status="404 Not Found"), ""),
        "/429": (whole(b"wait", "text/plain", "429 Too Many", "retry-after: 7\r\n"), ""),
    }
    for work in (engine.get_json("/404"), engine.get_bytes("/404"), read(engine, "/404", "events")):
        error = await refused(work)
        assert (error.kind, error.message) == (MODEL_NOT_FOUND, "model 'x' not found")
    error = await refused(engine.send_json("POST", "/429"))
    assert (error.status, error.message, error.retry_after) == (429, "wait", 7)
    assert server.connections == 1


async def test_an_adapter_may_explain_by_itself(server: Server) -> None:
    server.answers = {"/404": (whole(b"v", status="404 Not Found"), "")}
    told: list[tuple[int, bytes]] = []

    def explain(status: int, body: bytes) -> ApiError:
        told.append((status, body))
        return ApiError(MODEL_NOT_FOUND, "no such voice", param="voice")

    engine = Upstream(server.url, explain=explain)
    assert (await refused(engine.get_json("/404"))).param == "voice"
    assert told == [(404, b"v")]
    await engine.close()


async def test_everything_is_bounded(server: Server, engine: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "LARGEST_PIECE", 100)
    monkeypatch.setattr(upstream, "LARGEST_ANSWER", 100)
    server.answers = {
        "/line": (begun(b"x" * 60, b"x" * 60), "hold"),
        "/event": (begun(b"data: " + b"x" * 60, b"x" * 60), "hold"),
        "/body": (whole(b" " * 101), ""),
        "/refusal": (whole(b"x" * 70_000, status="400 Bad"), ""),
    }
    assert "a line of more than 100 bytes" in (await refused(read(engine, "/line", "lines"))).message
    assert "too large an event" in (await refused(read(engine, "/event", "events"))).message
    assert "larger than 100 bytes" in (await refused(engine.get_json("/body"))).message
    assert "larger than 99 bytes" in (await refused(engine.get_bytes("/body", 99))).message
    refusal = await refused(engine.get_json("/refusal"))
    assert (refusal.status, len(refusal.message)) == (400, 1000)


@pytest.mark.parametrize("path", ["/late", "/stream"])
async def test_who_leaves_closes_the_connection_at_once(server: Server, engine: Upstream, path: str) -> None:
    server.answers = {"/late": (b"", "hold"), "/stream": (begun(b"data: 1\n\n"), "hold")}
    asking = asyncio.create_task(read(Upstream(server.url), path, "events"))
    async with asyncio.timeout(5):
        await server.came.wait()
    asking.cancel()
    async with asyncio.timeout(1):
        await server.left.wait()
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_an_answer_that_nobody_reads_on_is_closed(server: Server, engine: Upstream) -> None:
    server.answers = {"/stream": (begun(b"data: 1\n\n"), "hold")}
    async with engine.stream("GET", "/stream") as response:
        assert await anext(response.events()) == SseEvent("", "1")
        assert not server.left.is_set()
    async with asyncio.timeout(1):
        await server.left.wait()


MANIFEST = """
[service]
name = "s"
engine = "engine:E"
[[endpoints]]
operation = "s.ask"
path = "/v1/s/ask"
streaming = "sse"
"""


class Adapter(Engine):
    address = ""

    async def open(self) -> None:
        self.engine = Upstream(self.address)

    async def close(self) -> None:
        await self.engine.close()

    async def s_ask(self, request: dict[str, Any], call: Call) -> AsyncIterator[dict[str, Any]]:
        async with self.engine.stream("POST", request["path"]) as response:
            async for event in response.events():
                yield {"heard": event.data}


@pytest.fixture
def adapter(start, server: Server) -> Any:
    return start(type("Fresh", (Adapter,), {"address": server.url}), MANIFEST)


async def test_a_cut_stream_is_told_in_the_stream(server: Server, adapter: Any) -> None:
    server.answers = {"/cut": (begun(b"data: 1\n\n"), "close"), "/closed": (b"", "close")}
    await asyncio.to_thread(adapter.until_ready)
    answer = await asyncio.to_thread(adapter.post, "/v1/s/ask", json={"path": "/cut"})
    first, last = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n") if line]
    assert (first, last["error"]["code"]) == ({"heard": "1"}, "upstream_error")
    assert "[DONE]" not in answer.text
    answer = await asyncio.to_thread(adapter.post, "/v1/s/ask", json={"path": "/closed"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_error")


async def test_when_the_caller_leaves_the_engine_is_left_within_a_second(server: Server, adapter: Any) -> None:
    server.answers = {"/stream": (begun(b"data: 1\n\n"), "hold")}

    def ask_and_leave() -> None:
        adapter.until_ready()
        with adapter.client.stream("POST", "/v1/s/ask", json={"path": "/stream"}) as answer:
            lines = answer.iter_lines()
            assert next(lines) == 'data: {"heard":"1"}'
            assert not server.left.is_set()

    await asyncio.to_thread(ask_and_leave)
    async with asyncio.timeout(1):
        await server.left.wait()
