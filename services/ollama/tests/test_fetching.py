"""Pictures by address: public addresses alone, pinned, bounded, redirects by the same rules. Nothing leaves here."""

import ipaddress
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import nexus_ollama.fetching as fetching
import pytest

from nexus.contract.errors import ApiError


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


PICTURE = _Answer(200, b"PNG", {"content-type": "image/png"})


class _Network(httpx.AsyncBaseTransport):
    """Answers in place of the network, and notes what was asked of whom."""

    def __init__(self, *answers: _Answer) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0)
        return httpx.Response(answer.status, headers=answer.headers, stream=httpx.ByteStream(answer.body))


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Names and what they resolve to, in place of the resolver."""
    names = {"pictures.example": "93.184.215.14", "inside.example": "10.0.0.7", "metadata.example": "169.254.169.254"}

    def look_up(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        if host not in names:
            raise socket.gaierror(-2, "unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (names[host], port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return names


@pytest.fixture
def fetch() -> Callable[..., Any]:
    async def ask(network: _Network, url: str) -> bytes:
        fetcher = fetching.Fetcher(network)
        try:
            return await fetcher.fetch(url, "here")
        finally:
            await fetcher.close()

    return ask


async def test_the_address_that_was_looked_at_is_the_one_that_is_asked(fetch: Any, resolved: Any) -> None:
    network = _Network(PICTURE)
    assert await fetch(network, "https://pictures.example/a.png?b=1") == b"PNG"
    (asked,) = network.asked
    assert str(asked.url) == "https://93.184.215.14/a.png?b=1"
    assert asked.headers["host"] == "pictures.example"
    assert asked.extensions["sni_hostname"] == "pictures.example"


@pytest.mark.parametrize(
    "url",
    [
        "http://inside.example/a.png",
        "http://metadata.example/latest",
        "http://pictures.example:8080/a.png",
        "http://me:secret@pictures.example/a.png",
        "http://unknown.example/a.png",
        "http:///a.png",
        "ftp://pictures.example/a.png",
    ],
)
async def test_nothing_else_is_asked(fetch: Any, resolved: Any, url: str) -> None:
    network = _Network()
    with pytest.raises(ApiError) as caught:
        await fetch(network, url)
    assert (caught.value.status, caught.value.param) == (400, "here")
    assert network.asked == []


async def test_redirects_are_looked_at_as_well(fetch: Any, resolved: Any) -> None:
    inward = _Answer(302, headers={"location": "http://inside.example/a.png"})
    network = _Network(inward)
    with pytest.raises(ApiError, match="public addresses"):
        await fetch(network, "http://pictures.example/a.png")
    assert len(network.asked) == 1
    onward = [_Answer(302, headers={"location": "/b.png"}) for _ in range(4)]
    with pytest.raises(ApiError, match="leads on"):
        await fetch(_Network(*onward), "http://pictures.example/a.png")
    assert await fetch(_Network(onward[0], PICTURE), "http://pictures.example/a.png") == b"PNG"


@pytest.mark.parametrize(
    "answer",
    [
        _Answer(404),
        _Answer(200, b"<html>", {"content-type": "text/html"}),
        _Answer(200, bytes(fetching.MOST_BYTES + 1), {"content-type": "image/png"}),
    ],
    ids=["missing", "no picture", "too large"],
)
async def test_what_is_no_picture_is_refused(fetch: Any, resolved: Any, answer: _Answer) -> None:
    with pytest.raises(ApiError) as caught:
        await fetch(_Network(answer), "http://pictures.example/a.png")
    assert caught.value.param == "here"


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("93.184.215.14", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
        ("2001:0:1::", False),
    ],
)
def test_public_addresses(text: str, public: bool) -> None:
    assert fetching.is_public(ipaddress.ip_address(text)) is public
