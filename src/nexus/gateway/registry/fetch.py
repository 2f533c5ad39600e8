"""One careful GET (or bare POST): bounded in bytes, never redirected or decoded; for servers that nobody vouches for.

A connection of its own for each request: what is asked is whether the instance takes one. Bounding the time
is the caller's: cancelling closes the connection.
"""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httptools

from nexus.gateway.registry.resolver import Resolver

_HEAD_LIMIT: Final = 32 * 1024
_REQUEST: Final = (
    "{method} {path} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\naccept-encoding: identity\r\n"
    "user-agent: nexus-gateway\r\nconnection: close\r\n{more}\r\n"
)


class NoAnswerError(Exception):
    """Nobody answered: refused, reset or cut off. The message is one line."""


class BadAnswerError(Exception):
    """Someone answered, but nothing that can be used. The message is one line."""


@dataclass(frozen=True, slots=True)
class Page:
    """A whole answer."""

    status: int
    body: bytes


class Fetcher:
    """Fetches pages of services. TLS certificates are verified against the system's authorities."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._tls: ssl.SSLContext | None = None

    async def get(self, url: str, *, limit: int, authorization: str | None = None) -> Page:
        """The page at `url`, of at most `limit` bytes. Raises NoAnswerError or BadAnswerError."""
        return await self._ask("GET", url, limit, authorization, "")

    async def post(self, url: str, *, limit: int, authorization: str | None = None) -> Page:
        """What `url` answers to being told to do what it stands for. Raises NoAnswerError or BadAnswerError."""
        return await self._ask("POST", url, limit, authorization, "content-length: 0\r\n")

    async def _ask(self, method: str, url: str, limit: int, authorization: str | None, more: str) -> Page:
        parts = urlsplit(url)
        transport, answer = await self._connect(parts.hostname or "", parts.port, limit, secure=parts.scheme == "https")
        try:
            if authorization:
                more += f"authorization: {authorization}\r\n"
            head = _REQUEST.format(method=method, path=parts.path, host=parts.netloc, more=more)
            transport.write(head.encode("latin-1"))
            page = await answer.page
        except BaseException:  # cancelled or not: nothing more of it is wanted
            transport.abort()
            raise
        transport.close()
        return page

    async def _connect(
        self, host: str, port: int | None, limit: int, *, secure: bool
    ) -> tuple[asyncio.Transport, "_Answer"]:
        """A connection to the first of the host's addresses that takes one."""
        loop = asyncio.get_running_loop()
        tls: dict[str, Any] = {"ssl": self._context(), "server_hostname": host} if secure else {}
        failure: OSError | None = None
        try:
            for address in await self._resolver.addresses(host):
                try:
                    transport, answer = await loop.create_connection(
                        lambda: _Answer(limit), address, port or (443 if secure else 80), **tls
                    )
                except OSError as error:
                    failure = error
                else:
                    return transport, answer
        except OSError as error:
            raise NoAnswerError(f"{host} cannot be looked up: {_line(error)}") from error
        raise NoAnswerError(_line(failure) if failure else f"{host} has no address") from failure

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:  # reading the system's authorities takes milliseconds: only where one is needed
            self._tls = ssl.create_default_context()
        return self._tls


class _Answer(asyncio.Protocol):
    """Gathers one answer; the future `page` ends with it, or with NoAnswerError or BadAnswerError."""

    def __init__(self, limit: int) -> None:
        self.page: asyncio.Future[Page] = asyncio.get_running_loop().create_future()
        self.page.add_done_callback(_seen)
        self._limit = limit
        self._parser = httptools.HttpResponseParser(self)
        self._head_bytes = 0
        self._body = bytearray()
        self._in_body = False
        self._framed = False

    # What the transport tells

    def data_received(self, data: bytes) -> None:
        if self.page.done():
            return
        if not self._in_body:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:  # carries what a callback below raised
            cause = error.__context__
            self._fail(cause if isinstance(cause, BadAnswerError) else BadAnswerError(_line(error)))
        except httptools.HttpParserError:
            self._fail(BadAnswerError("the answer is not HTTP"))
        if not self._in_body and self._head_bytes > _HEAD_LIMIT:
            self._fail(BadAnswerError(f"the answer's head is larger than {_HEAD_LIMIT} bytes"))

    def connection_lost(self, error: Exception | None) -> None:
        if self.page.done():
            return
        if self._in_body and not self._framed and error is None:
            self.on_message_complete()  # HTTP/1.0's way: the end of the connection is the end of the body
        elif self._in_body:
            self._fail(BadAnswerError("the answer was cut off"))
        else:
            self._fail(NoAnswerError("the connection was closed without an answer"))

    # What the parser tells

    def on_header(self, name: bytes, value: bytes) -> None:
        match name.lower():
            case b"content-encoding" if value.strip().lower() not in (b"", b"identity"):
                raise BadAnswerError("the answer is encoded, though it was asked not to be")
            case b"content-length":
                self._framed = True
                if value.strip().isdigit() and int(value) > self._limit:
                    raise BadAnswerError(f"the answer is larger than {self._limit} bytes")
            case b"transfer-encoding":
                self._framed = True

    def on_headers_complete(self) -> None:
        # An interim answer (1xx) is followed by the real one.
        self._in_body = self._parser.get_status_code() >= 200

    def on_body(self, data: bytes) -> None:
        if len(self._body) + len(data) > self._limit:
            raise BadAnswerError(f"the answer is larger than {self._limit} bytes")
        self._body += data

    def on_message_complete(self) -> None:
        if self._in_body and not self.page.done():
            self.page.set_result(Page(self._parser.get_status_code(), bytes(self._body)))

    def _fail(self, error: BaseException) -> None:
        if not self.page.done():
            self.page.set_exception(error)


def _seen(page: "asyncio.Future[Page]") -> None:
    """An asker that was cancelled meanwhile leaves the future's exception unread: that is no fault."""
    if not page.cancelled():
        page.exception()


def _line(error: BaseException) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:200]
