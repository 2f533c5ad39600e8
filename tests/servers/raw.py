"""An HTTP/1.1 client on a bare socket: sends exactly the bytes it is given and reads answers strictly."""

import json
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d) [^\r\n]*")
_HEADER_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[^\r\n]*)?")


class MalformedError(AssertionError):
    """The server sent what is not HTTP."""


class ClosedError(ConnectionError):
    """The server closed the connection before a whole answer (or any) had come."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; `interim` are the statuses of 1xx answers before it. Header names are lower-case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    interim: tuple[int, ...] = ()

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name]
        return ", ".join(values) if values else None

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The inside of OpenAI's envelope; an AssertionError where the answer is not exactly that."""
        value = self.json()
        assert set(value) == {"error"}, value
        assert set(value["error"]) == {"message", "type", "param", "code"}, value
        error: dict[str, Any] = value["error"]
        return error


class RawClient:
    """One connection. Every wait is bounded by `timeout` seconds."""

    def __init__(self, port: int, timeout: float = 10.0, *, receive_buffer: int | None = None) -> None:
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(("127.0.0.1", port))
        except OSError:
            self._socket.close()
            raise
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def finish_sending(self) -> None:
        """Close the sending half."""
        self._socket.shutdown(socket.SHUT_WR)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read_head(self) -> tuple[int, tuple[tuple[str, str], ...]]:
        """Status and headers of the next answer, its body left unread."""
        lines = self._until(b"\r\n\r\n").split(b"\r\n")
        match = _STATUS_LINE.fullmatch(lines[0])
        if not match:
            raise MalformedError(f"no status line: {lines[0]!r}")
        return int(match[1]), _fields(lines[1:])

    def answer(self, *, head_only: bool = False) -> Answer:
        """The next answer. `head_only` for HEAD. Raises ClosedError, MalformedError, TimeoutError."""
        interim = []
        status, headers = self.read_head()
        while status < 200:
            interim.append(status)
            status, headers = self.read_head()
        body = b"" if head_only or status in (204, 304) else b"".join(self._body(headers))
        return Answer(status, headers, body, tuple(interim))

    def chunk(self) -> bytes:
        """The next chunk of a chunked body; empty at its end. Raises as `answer`."""
        line = self._until(b"\r\n")
        match = _CHUNK_LINE.fullmatch(line)
        if not match:
            raise MalformedError(f"no chunk size: {line!r}")
        size = int(match[1], 16)
        if size == 0:
            while self._until(b"\r\n"):
                pass  # trailer fields
            return b""
        data = self._exactly(size)
        if self._exactly(2) != b"\r\n":
            raise MalformedError("a chunk without its line end")
        return data

    def closed(self) -> bool:
        """Wait for the server to close; True when nothing more came before. Raises TimeoutError if it does not."""
        return not self._buffer and self._receive() == b""

    def rest(self) -> bytes:
        """Everything until the server closes (or resets)."""
        while data := self._receive():
            self._buffer += data
        data, self._buffer = self._buffer, b""
        return data

    def _body(self, headers: tuple[tuple[str, str], ...]) -> list[bytes]:
        values = dict(headers)
        lengths = [value for name, value in headers if name == "content-length"]
        if len(lengths) > 1 or (lengths and "transfer-encoding" in values):
            raise MalformedError(f"ambiguous framing: {headers}")
        if values.get("transfer-encoding") == "chunked":
            return list(iter(self.chunk, b""))
        if lengths:
            return [self._exactly(int(lengths[0]))]
        return [self.rest()]

    def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            self._more()
        found, _, self._buffer = self._buffer.partition(end)
        return found

    def _exactly(self, size: int) -> bytes:
        parts, have = [self._buffer], len(self._buffer)
        while have < size:
            data = self._receive()
            if not data:
                raise ClosedError(f"closed after {have} of {size} bytes of a body")
            parts.append(data)
            have += len(data)
        data = b"".join(parts)
        self._buffer = data[size:]
        return data[:size]

    def _more(self) -> None:
        data = self._receive()
        if not data:
            raise ClosedError(f"closed with {self._buffer[:200]!r} unfinished" if self._buffer else "closed")
        self._buffer += data

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(262_144)
        except ConnectionResetError:
            return b""


def _fields(lines: list[bytes]) -> tuple[tuple[str, str], ...]:
    fields = []
    for line in lines:
        match = _HEADER_LINE.fullmatch(line)
        if not match:
            raise MalformedError(f"no header line: {line!r}")
        fields.append((match[1].decode().lower(), match[2].decode("latin-1")))
    return tuple(fields)


def request(
    path: str,
    body: Any = None,
    *,
    method: str | None = None,
    token: str | None = None,
    version: str = "1.1",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """The bytes of a request. `body` bytes as they are, anything else as JSON; POST if there is one."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = {"host": "nexus.test"}
    if token is not None:
        lines["authorization"] = f"Bearer {token}"
    if body is not None:
        lines |= {"content-type": "application/json", "content-length": str(len(data))}
    lines |= {name.lower(): value for name, value in (headers or {}).items()}
    verb = method or ("GET" if body is None else "POST")
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value != "")
    return f"{verb} {path} HTTP/{version}\r\n{head}\r\n".encode("latin-1") + data


def fetch(port: int, path: str, body: Any = None, *, timeout: float = 10.0, **options: Any) -> Answer:
    """One request on a connection of its own."""
    with RawClient(port, timeout) as client:
        client.send(request(path, body, **options))
        return client.answer(head_only=options.get("method") == "HEAD")


def wait_until(condition: Any, within: float = 5.0) -> Any:
    """Ask `condition` until it is true; returns its value. Between two looks others in this process can go on."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {within} s: {condition}"
        time.sleep(0.005)
