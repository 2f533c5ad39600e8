"""Many event streams at once, read by a bare asyncio client: run as a process of its own, prints one line of JSON.

`python -m bench.stream_client --url … --streams 32 --tokens 64 --interval-ms 20 --repeat 4`
"""

import argparse
import asyncio
import json
import re
import sys
import time
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop

from bench.machine import raise_file_limit
from bench.quantiles import quantile

_TOKEN = re.compile(rb"tok (\d{20}) ")
_KEEP = 64  # longer than a token's text and than [DONE]: what may be split over two reads


@dataclass(slots=True)
class Tally:
    """What came back over all streams. Times are milliseconds."""

    whole: int = 0
    broken: int = 0
    tokens: int = 0
    first_ms: list[float] = field(default_factory=list)
    delay_ms: list[float] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)

    def fail(self, reason: str) -> None:
        self.broken += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


class StreamReader(asyncio.Protocol):
    """One connection that asks `repeat` times for a stream and reads each to its end."""

    def __init__(self, request: bytes, tokens: int, repeat: int, tally: Tally, *, timed: bool) -> None:
        self._request = request
        self._expected = tokens
        self._repeat = repeat
        self._tally = tally
        self._timed = timed
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def _ask(self) -> None:
        self._repeat -= 1
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._tail = b""
        self._seen = 0
        self._whole = False
        self._asked = time.monotonic_ns()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        self._parser.feed_data(data)
        data = self._tail + b"".join(self._parts)
        self._parts.clear()
        end = 0
        for match in _TOKEN.finditer(data):
            end = match.end()
            self._seen += 1
            if self._timed:
                if self._seen == 1:
                    self._tally.first_ms.append((now - self._asked) / 1e6)
                else:
                    self._tally.delay_ms.append((now - int(match[1])) / 1e6)
        self._tail = data[max(end, len(data) - _KEEP) :]
        if self._whole:
            self._end_stream("ended without [DONE]" if b"[DONE]" not in self._tail else "")

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)  # chunks may cut a token in two, so they are joined first

    def on_message_complete(self) -> None:
        self._whole = True

    def connection_lost(self, error: Exception | None) -> None:
        if not self.finished.done():
            self._end_stream("" if b"[DONE]" in self._tail else f"connection lost ({type(error).__name__})", lost=True)

    def _end_stream(self, reason: str, *, lost: bool = False) -> None:
        self._tally.tokens += self._seen
        if not reason and self._seen != self._expected:
            reason = f"{self._seen} of {self._expected} tokens"
        if reason:
            self._tally.fail(reason)
        else:
            self._tally.whole += 1
        if self._repeat > 0 and not lost:
            self._ask()
            return
        for _ in range(self._repeat):
            self._tally.fail("never asked: the connection was gone")
        self.finished.set_result(None)
        self._transport.close()


def build_request(host: str, path: str, body: bytes, token: str) -> bytes:
    """The whole request as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\naccept: text/event-stream\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def summarise(tally: Tally, seconds: float) -> dict[str, object]:
    """The line that the harness reads; delays are None where none were taken."""
    return {
        "whole": tally.whole,
        "broken": tally.broken,
        "reasons": tally.reasons,
        "tokens": tally.tokens,
        "seconds": seconds,
        "first_p50_ms": quantile(tally.first_ms, 0.5),
        "first_p99_ms": quantile(tally.first_ms, 0.99),
        "delay_p50_ms": quantile(tally.delay_ms, 0.5),
        "delay_p99_ms": quantile(tally.delay_ms, 0.99),
    }


async def load(options: argparse.Namespace) -> dict[str, object]:
    """Open all streams, spread over `ramp` seconds, and read them to their ends."""
    url = urlsplit(options.url)
    host, port = url.hostname or "127.0.0.1", url.port or 80
    request = build_request(f"{host}:{port}", url.path, options.body.encode(), options.token)
    tally = Tally()
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def one(number: int) -> None:
        await asyncio.sleep(options.ramp * number / options.streams)
        try:
            _, reader = await loop.create_connection(
                lambda: StreamReader(request, options.tokens, options.repeat, tally, timed=options.timed), host, port
            )
        except OSError as error:
            tally.fail(f"connect: {type(error).__name__}")
            return
        await reader.finished

    async with asyncio.timeout(options.limit):
        await asyncio.gather(*(one(number) for number in range(options.streams)))
    return summarise(tally, loop.time() - start)


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.stream_client")
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--body", required=True)
    parser.add_argument("--streams", type=int, required=True)
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--ramp", type=float, default=0.0, help="seconds over which the streams are opened")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds after which the run is given up")
    parser.add_argument("--timed", action="store_true", help="keep the time of every token")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise_file_limit()
    print(json.dumps(uvloop.run(load(parse_arguments(sys.argv[1:])))))
