import asyncio
import gzip

import pytest

from nexus.gateway.registry.fetch import BadAnswerError, Fetcher, NoAnswerError, Page
from nexus.gateway.registry.resolver import Resolver


@pytest.fixture
def fetcher() -> Fetcher:
    return Fetcher(Resolver())


async def test_a_page_comes_whole(fetcher, start_service) -> None:
    service = await start_service()
    assert await fetcher.get(service.url + "/health", limit=100) == Page(200, b'{"status":"ok"}')
    by_name = service.url.replace("127.0.0.1", "localhost")
    assert await fetcher.get(by_name + "/nothing", limit=100) == Page(404, b"")


async def test_the_request_says_what_it_must(fetcher, start_service) -> None:
    service = await start_service()
    await fetcher.get(service.url + "/health", limit=100, authorization="Bearer x")
    head = service.headers[0]
    assert head.startswith(f"GET /health HTTP/1.1\r\nhost: 127.0.0.1:{service.port}\r\n")
    assert "accept-encoding: identity\r\n" in head
    assert "authorization: Bearer x\r\n" in head


@pytest.mark.parametrize(
    ("answer", "page"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", Page(200, b"to the end")),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", Page(200, b"ab")),
        (b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na", Page(200, b"a")),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", Page(302, b"")),
        (b"HTTP/1.1 204 No\r\n\r\n", Page(204, b"")),
    ],
)
async def test_every_framing_is_understood(fetcher, start_hostile, hostile, answer: bytes, page: Page) -> None:
    url = await start_hostile(hostile.saying(answer))
    assert await fetcher.get(url + "/x", limit=100) == page


BOMB = gzip.compress(b" " * 10_000_000)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n", "larger than 100 bytes"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101, "larger than 100 bytes"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n65\r\n" + b"x" * 101, "larger than 100 bytes"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n" + BOMB, "encoded"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", "cut off"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n", "cut off"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "not HTTP"),
        (b"not http at all\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 50_000, "head is larger"),
    ],
)
async def test_what_cannot_be_used_is_told(fetcher, start_hostile, hostile, answer: bytes, reason: str) -> None:
    url = await start_hostile(hostile.saying(answer))
    with pytest.raises(BadAnswerError, match=reason):
        await fetcher.get(url + "/x", limit=100)


async def test_an_endless_head_is_ended(fetcher, start_hostile, hostile) -> None:
    url = await start_hostile(hostile.endless_head)
    with pytest.raises(BadAnswerError, match="head is larger"):
        await fetcher.get(url + "/x", limit=100)


async def test_silence_is_told_apart(fetcher, start_hostile, hostile, start_service) -> None:
    service = await start_service()
    await service.stop()
    with pytest.raises(NoAnswerError, match=r"^the connection was refused$"):
        await fetcher.get(service.url + "/x", limit=100)
    with pytest.raises(NoAnswerError, match="without an answer"):
        await fetcher.get(await start_hostile(hostile.slam) + "/x", limit=100)
    with pytest.raises(NoAnswerError, match=r"no-such-name\.invalid cannot be looked up"):
        await fetcher.get("http://no-such-name.invalid:1/x", limit=100)


async def test_tls_is_verified(fetcher, start_hostile, hostile) -> None:
    url = await start_hostile(hostile.other_protocol)
    with pytest.raises(NoAnswerError):
        await fetcher.get(url.replace("http://", "https://") + "/x", limit=100)


async def test_giving_up_closes_the_connection(fetcher, start_hostile) -> None:
    closed = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        finally:
            closed.set()

    url = await start_hostile(mute)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await fetcher.get(url + "/x", limit=100)
    async with asyncio.timeout(5):
        await closed.wait()


async def test_a_post_has_no_body_and_says_so(fetcher, start_service) -> None:
    service = await start_service()
    assert await fetcher.post(service.url + "/health", limit=100, authorization="Bearer x") == Page(
        200, b'{"status":"ok"}'
    )
    head = service.headers[0]
    assert head.startswith("POST /health HTTP/1.1\r\n")
    assert "content-length: 0\r\n" in head
    assert "authorization: Bearer x\r\n" in head
