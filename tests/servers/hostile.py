"""Services that misbehave when they are asked what they are: every kind that a prober has to survive."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.servers.cards import card

Answer = Callable[[socket.socket, str, threading.Event], None]


def _send(connection: socket.socket, body: bytes, *, status: str = "200 OK", lines: str = "") -> None:
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n{lines}\r\n"
    connection.sendall(head.encode() + body)


def silent(connection: socket.socket, path: str, stopping: threading.Event) -> None:
    """Takes the connection and says nothing."""
    stopping.wait()


def drip(connection: socket.socket, path: str, stopping: threading.Event) -> None:
    """One byte of an endless head at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nx-drip: ")
    while not stopping.wait(0.05):
        connection.sendall(b"d")


def drip_body(connection: socket.socket, path: str, stopping: threading.Event) -> None:
    """One byte of a body at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while not stopping.wait(0.05):
        connection.sendall(b" ")


def not_http(connection: socket.socket, path: str, stopping: threading.Event) -> None:
    """Garbage."""
    connection.sendall(b"\x00\x01\x02 hello\r\n\r\n" * 10)


def hangs_up(connection: socket.socket, path: str, stopping: threading.Event) -> None:
    """Closes at once."""


def redirects(connection: socket.socket, path: str, stopping: threading.Event) -> None:
    """Sends the prober elsewhere."""
    _send(connection, b"{}", status="302 Found", lines="location: http://127.0.0.1:1/elsewhere\r\n")


def refuses(connection: socket.socket, path: str, stopping: threading.Event) -> None:
    """500 for everything."""
    _send(connection, b"{}", status="500 Internal Server Error")


def _with_card(body: bytes) -> Answer:
    def answer(connection: socket.socket, path: str, stopping: threading.Event) -> None:
        _send(connection, body if path == "/v1/metadata" else b'{"status":"ok"}')

    return answer


def huge_card(connection: socket.socket, path: str, stopping: threading.Event) -> None:
    """A card of 100 MB."""
    if path != "/v1/metadata":
        _send(connection, b'{"status":"ok"}')
        return
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000000\r\n\r\n{")
    for _ in range(1000):
        connection.sendall(b" " * 100_000)


def endless_card(connection: socket.socket, path: str, stopping: threading.Event) -> None:
    """A chunked card without end."""
    if path != "/v1/metadata":
        _send(connection, b'{"status":"ok"}')
        return
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    while not stopping.is_set():
        connection.sendall(b"186a0\r\n" + b" " * 100_000 + b"\r\n")


_TAKES_OVER = card("scripted", models=["scripted"]) | {"models": {"id": "scripted"}}

HOSTILE: dict[str, Answer] = {
    "silent": silent,
    "drip": drip,
    "drip_body": drip_body,
    "not_http": not_http,
    "hangs_up": hangs_up,
    "redirects": redirects,
    "refuses": refuses,
    "huge_card": huge_card,
    "endless_card": endless_card,
    "card_of_a_wrong_type": _with_card(b'["a", "list"]'),
    "card_with_wrong_fields": _with_card(json.dumps(_TAKES_OVER).encode()),
    "card_not_json": _with_card(b"<html>hello</html>"),
    "card_not_utf8": _with_card(b'{"schema_version": "v1", "service": {"name": "\xff\xfe"}}'),
    "card_nested": _with_card(b"[" * 200_000),
    "card_of_another_version": _with_card(json.dumps(card() | {"schema_version": "v9"}).encode()),
    "card_with_nothing_to_do": _with_card(b'{"schema_version": "v1", "service": {"name": "idle"}}'),
}


class HostileService:
    """Use as a context manager: answers every connection with one kind of misbehaviour, in threads."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._answer = HOSTILE[kind]
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.asked += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        # The prober leaves whenever it likes.
        with connection, contextlib.suppress(OSError):
            head = connection.recv(65_536).split(b" ")
            if len(head) > 1:
                self._answer(connection, head[1].decode("latin-1"), self._stopping)
