"""Announcements against a real gateway end: heartbeat, farewell, and a gateway that is away."""

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from nexus.sdk.announce import Announcer, announcer, reachable_host
from nexus.sdk.environment import ServiceSettings


class Gateway(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str, str | None, Any]] = []
        self.status = 200
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Gateway

    def answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append((self.command, self.path, self.headers["authorization"], body))
        answer = json.dumps({**body, "heartbeat_seconds": 0.1, "expires_in_seconds": 0.3}).encode()
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_POST(self) -> None:
        self.answer()

    def do_DELETE(self) -> None:
        self.answer()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def running_until(speaker: Announcer, held: Any) -> None:
    task = asyncio.create_task(speaker.run())
    async with asyncio.timeout(10):
        while not held():
            await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_it_announces_beats_and_leaves(gateway: Gateway) -> None:
    speaker = Announcer(gateway.url, "hush", "http://127.0.0.1:8000")
    await running_until(speaker, lambda: len(gateway.seen) >= 3)
    assert set(map(str, gateway.seen)) == {
        str(("POST", "/v1/registry", "Bearer hush", {"base_url": "http://127.0.0.1:8000"}))
    }
    await speaker.leave()
    assert gateway.seen[-1] == ("DELETE", "/v1/registry", "Bearer hush", {"base_url": "http://127.0.0.1:8000"})


async def test_trouble_is_told_once_for_each_change(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nexus.sdk.announce.RETRY_SECONDS", 0.01)
    gateway.status = 401
    speaker = Announcer(gateway.url, "wrong", "http://127.0.0.1:8000")
    with caplog.at_level(logging.INFO, "nexus.sdk.announce"):
        await running_until(speaker, lambda: len(gateway.seen) >= 3)
        gateway.status = 200
        await running_until(speaker, lambda: len(gateway.seen) >= 6)
    assert [record.message for record in caplog.records] == [
        "the gateway cannot be told",
        "announced to the gateway",
    ]
    assert caplog.records[0].reason == "it answered 401"  # type: ignore[attr-defined]
    assert "wrong" not in caplog.text


async def test_a_gateway_that_is_away_is_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    speaker = Announcer("http://127.0.0.1:9", "hush", "http://127.0.0.1:8000")
    await running_until(speaker, lambda: bool(caplog.records))
    await speaker.leave()
    assert "was not told" in caplog.records[-1].message


def test_both_the_gateway_and_the_secret_are_needed(tmp_path: Any) -> None:
    def settings(**more: Any) -> ServiceSettings:
        return ServiceSettings("127.0.0.1", 8000, "a", tmp_path, 1, **more)

    assert announcer(settings(gateway_url="http://127.0.0.1:1"), 1) is None
    assert announcer(settings(registration_secret="x"), 1) is None
    assert announcer(settings(gateway_url="http://127.0.0.1:1", registration_secret="x"), 1) is not None


@pytest.mark.parametrize(
    ("host", "gateway_url", "found"),
    [
        ("127.0.0.1", "http://gateway:8800", "127.0.0.1"),
        ("::1", "http://gateway:8800", "[::1]"),
        ("tts.local", "http://gateway:8800", "tts.local"),
        ("0.0.0.0", "http://127.0.0.1:8800", "127.0.0.1"),
        ("0.0.0.0", "https://127.0.0.1", "127.0.0.1"),
    ],
)
def test_the_address_under_which_the_gateway_reaches_it(host: str, gateway_url: str, found: str) -> None:
    assert reachable_host(host, gateway_url) == found


def test_an_unknown_gateway_leaves_the_machines_name() -> None:
    assert reachable_host("0.0.0.0", "http://no-such-host.invalid:1")
