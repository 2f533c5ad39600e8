"""An upstream that does what each request tells it to, in a thread of its own, and remembers what it saw."""

import asyncio
import http
import json
import socket
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, cast

import httptools
import uvloop

from tests.servers.cards import card as make_card
from tests.servers.scripts import BEHAVIOURS, Script


@dataclass(slots=True)
class Seen:
    """One request as it came, and what became of it. Times are of `time.monotonic`."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int
    at: float
    finished: bool = False
    left_at: float | None = None
    bytes_sent: int = 0

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """The value of a header, None if it did not come; several of one name joined by commas."""
        values = [value for key, value in self.headers if key == name]
        return ", ".join(values) if values else None

    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body) if self.body else {}
        return value


@dataclass
class State:
    """What the upstream answers to the service contract; tests change it while it runs.

    `script`, where it is set, is what it does with requests, whatever they say; of `scripts` one is used up by each.
    """

    card: dict[str, Any] | bytes
    script: dict[str, Any] | None = None
    scripts: list[dict[str, Any]] = field(default_factory=list)
    healthy: bool = True
    ready: bool = True
    gates: dict[str, asyncio.Semaphore] = field(default_factory=lambda: defaultdict(lambda: asyncio.Semaphore(0)))


class Exchange:
    """One request while a script answers it."""

    def __init__(self, connection: "Connection", seen: Seen) -> None:
        self._connection = connection
        self.seen = seen
        self.method = seen.method
        self.path = seen.path

    def json(self) -> dict[str, Any]:
        """The request's body; an empty object where it is none."""
        try:
            value = self.seen.json()
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def raw(self, data: bytes) -> None:
        self.seen.bytes_sent += len(data)
        self._connection.transport.write(data)

    def head(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of a chunked answer."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.raw(f"HTTP/1.1 {status} X\r\n{lines}transfer-encoding: chunked\r\n\r\n".encode())

    def chunk(self, data: bytes) -> None:
        self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        self.raw(b"0\r\n\r\n")
        self.finished()

    def whole(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        phrase = http.HTTPStatus(status).phrase
        lines += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.raw(f"HTTP/1.1 {status} {phrase}\r\n{lines}\r\n".encode() + body)
        self.finished()

    def finished(self) -> None:
        self.seen.finished = True

    def close(self) -> None:
        self._connection.transport.close()

    def reset(self) -> None:
        """RST instead of FIN."""
        raw = self._connection.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.transport.abort()

    async def drained(self) -> None:
        """Wait until the connection takes more."""
        await self._connection.writable.wait()

    async def gate(self, script: Script) -> None:
        """Wait for one opening of the script's gate, if it names one."""
        if "gate" in script:
            await self._connection.upstream.state.gates[script["gate"]].acquire()


class Connection(asyncio.Protocol):
    """One connection of the gateway; requests on it are answered one after another."""

    def __init__(self, upstream: "ScriptedUpstream", number: int) -> None:
        self.upstream = upstream
        self.number = number
        self.writable = asyncio.Event()
        self.writable.set()
        self._parser = httptools.HttpRequestParser(self)
        self._task: asyncio.Task[None] | None = None
        self._seen: Seen | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.upstream.note(lambda: self.upstream.connections.add(self))
        if self.upstream.is_stopping:
            self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        if self._task:
            self._task.cancel()
        self.upstream.note(self._leave)

    def _leave(self) -> None:
        self.upstream.connections.discard(self)
        if self._seen and not self._seen.finished:
            self._seen.left_at = time.monotonic()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url, self._headers, self._body = url.decode(), [], b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode()
        seen = Seen(method, self._url, tuple(self._headers), self._body, self.number, time.monotonic())
        exchange = Exchange(self, seen)
        if not self.upstream.answer_contract(exchange):
            self._seen = seen
            self.upstream.note(lambda: self.upstream.seen.append(seen))
            self._task = asyncio.get_running_loop().create_task(self._play(exchange))

    async def _play(self, exchange: Exchange) -> None:
        state = self.upstream.state
        script = state.scripts.pop(0) if state.scripts else state.script or exchange.json().get("script") or {}
        kind = script.get("kind", "sse" if exchange.json().get("stream") else "json")
        await BEHAVIOURS[kind](exchange, script)
        self.upstream.note(lambda: None)


class ScriptedUpstream:
    """Use as a context manager; `seen` holds the requests other than those of the service contract, in order."""

    def __init__(self, card: dict[str, Any] | bytes | None = None, *, port: int = 0, ready: bool = True) -> None:
        self.state = State(make_card() if card is None else card, ready=ready)
        self.seen: list[Seen] = []
        self.connections: set[Connection] = set()
        self.probes = 0
        self.port = port
        self._changed = threading.Condition()
        self._numbers = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        started = threading.Event()
        self._loop = uvloop.new_event_loop()  # asyncio's forgets connections that it accepts while it stops listening
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        started.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Die as a killed process does: the port refuses, open connections end. May be called again."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(10)

    @property
    def is_stopping(self) -> bool:
        """True once it was told to die."""
        return self._stopping.is_set()

    def open(self, gate: str, times: int = 1) -> None:
        """Let what waits at `gate` pass, `times` times."""

        def release() -> None:
            for _ in range(times):
                self.state.gates[gate].release()

        self._loop.call_soon_threadsafe(release)

    def wait_for(self, condition: Callable[[], Any], within: float = 5.0) -> Any:
        """Wait until `condition()` is true of what was seen; returns its value. Raises AssertionError in the end."""
        with self._changed:
            self._changed.wait_for(condition, within)
            value = condition()
            assert value, f"not within {within} s; seen: {self.seen[-3:]}"
            return value

    def wait_for_request(self, number: int = 1, within: float = 5.0) -> Seen:
        """The `number`th request that was seen, counted from 1."""
        self.wait_for(lambda: len(self.seen) >= number, within)
        return self.seen[number - 1]

    def note(self, change: Callable[[], Any]) -> None:
        """Make a change that a waiting test may be interested in."""
        with self._changed:
            change()
            self._changed.notify_all()

    def answer_contract(self, exchange: Exchange) -> bool:
        """Answer a request of the service contract; False if it is none."""
        if exchange.method != "GET" or exchange.path not in ("/health", "/readyz", "/v1/metadata"):
            return False
        state = self.state
        self.note(self._count_probe)
        if exchange.path == "/health":
            exchange.whole(200 if state.healthy else 500, b'{"status":"ok"}')
        elif exchange.path == "/readyz":
            exchange.whole(200, b'{"status":"ready"}') if state.ready else exchange.whole(
                503, b'{"status":"loading","reason":"the model loads"}'
            )
        else:
            exchange.whole(200, state.card if isinstance(state.card, bytes) else json.dumps(state.card).encode())
        return True

    def _count_probe(self) -> None:
        self.probes += 1

    def _accept(self) -> Connection:
        self._numbers += 1
        return Connection(self, self._numbers)

    def _run(self, started: threading.Event) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(started))

    async def _serve(self, started: threading.Event) -> None:
        self._stopping = asyncio.Event()
        server = await self._loop.create_server(self._accept, "127.0.0.1", self.port, backlog=2048)
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        await self._stopping.wait()
        server.close()
        for connection in list(self.connections):
            connection.transport.abort()
        await server.wait_closed()
