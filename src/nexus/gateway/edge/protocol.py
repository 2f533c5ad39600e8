"""The seam to uvicorn: its httptools protocol, with limits, and with the inference lane beside the ASGI application.

Requests whose path is in the lane become an `Exchange`; all others go through uvicorn's own cycle to FastAPI.
What uvicorn leaves open is bounded here: the size of a head, the time a head or body may take, the number of
pipelined requests, the size of a body. Answers keep the order of their requests.
"""

import asyncio
import logging
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from nexus.contract.errors import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_ALLOWED,
    REQUEST_TIMEOUT,
    REQUEST_TOO_LARGE,
    ApiError,
)
from nexus.gateway.edge import wire
from nexus.gateway.edge.context import Edge
from nexus.gateway.edge.exchange import NEVER, Exchange
from nexus.gateway.edge.head import head_too_large, inspect_head, without_nominated
from nexus.gateway.edge.identity import new_id, sane_id
from nexus.gateway.edge.lines import forwarded
from nexus.gateway.endpoints import STANDARD, Endpoint
from nexus.gateway.recall import Known, remember
from nexus.gateway.values import Head, Headers

_DRAINED_BODY: Final = 65_536  # a refused request's body up to this size is read, so that the connection lives on
_NOWHERE: Final = Endpoint("unknown", "", "")
_log = logging.getLogger(__name__)


class EdgeProtocol(HttpToolsProtocol):
    """One client connection. `deadline` (loop time) is when the client must have moved on; the sweeper looks at it."""

    cycle: Any  # the newest: uvicorn's own, or an Exchange

    def __init__(self, *args: Any, edge: Edge, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.edge = edge
        self.deadline = NEVER
        self.active: Exchange | RequestResponseCycle | None = None
        self._incomplete = ""  # what of a request is still to come: "head", "body" or nothing
        self._watched = False  # a bound is set for the head that is being read
        self._fed = 0  # bytes of that head
        self._unparsed = 0  # bytes of a body that llhttp leaves to the protocol it believes to be switched to
        self._known: Known[Head] | None = None  # by what the next read may be known, when nothing else is going on
        self._body_size = 0
        self._afterwards: ApiError | None = None
        self._discarding = False
        self._parts: list[bytes] | None = None  # where the body goes that comes now, if to the lane
        self._authorization: bytes | None = None  # the last one that was let in on this connection, if one was,
        self._token: str | None = None  # and whose it is
        self._dated: list[tuple[bytes, bytes]] | None = None
        self._date_line = b""

    # --- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.edge.connections.add(self)
        self.deadline = self.loop.time() + self.edge.limits.head_seconds

    def connection_lost(self, exc: Exception | None) -> None:
        self.edge.connections.discard(self)
        active = self.active
        if isinstance(active, Exchange) and not active.response_complete:
            active.gone()
        newest = self.cycle
        if isinstance(newest, Exchange):
            self.cycle = None
        for cycle, _ in self.pipeline:
            cycle.disconnected = True
        if isinstance(active, RequestResponseCycle) and active is not newest:
            active.disconnected = True
            active.message_event.set()
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """A client that sends no more has left, unless FastAPI is answering it: inference is not done for nobody."""
        active = self.active
        if active is None or active.response_complete or self._discarding:
            return None
        if isinstance(active, Exchange):
            active.gone()
            self.transport.abort()
            return None
        active.keep_alive = False
        return True

    def sweep(self, now: float) -> None:
        """Called several times a second: end what has taken too long."""
        active = self.active
        if isinstance(active, Exchange) and not active.response_complete and active.is_late(now):
            active.expire()
        elif self.deadline < now:
            self.deadline = NEVER
            self._client_too_slow()

    def _client_too_slow(self) -> None:
        if self._incomplete and not self._discarding:
            self._reject(ApiError(REQUEST_TIMEOUT, f"The request's {self._incomplete} did not come in time."))
        else:
            self.transport.abort() if self._discarding else self.transport.close()

    # --- reading

    def data_received(self, data: bytes) -> None:
        known = self._known
        if known is None:
            self._parse(data)
            return
        self._known = None
        body = known.body_of(data)
        if body is None or len(body) > self.edge.limits.body_bytes:
            self._parse(data)
            return
        self.deadline = NEVER
        self.cycle = self.active = exchange = Exchange(self, known.meaning)
        exchange.known = known
        exchange.tell(body)

    def _parse(self, data: bytes) -> None:
        if self._discarding:
            return
        if self._unparsed:
            self._read_unparsed(data)
            return
        first = not self._incomplete
        self._fed += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserCallbackError as error:
            _log.error("reading a request failed", exc_info=error.__context__ or error)
            self._reject(ApiError(INTERNAL_ERROR, "The gateway failed on this request; its log says why."))
            return
        except httptools.HttpParserError as error:
            self._reject(ApiError(INVALID_REQUEST, f"This is not a valid HTTP/1.1 request: {error}."))
            return
        if self._incomplete:
            self._watch()
        elif first:
            self._remember(data)

    def _remember(self, data: bytes) -> None:
        """If this read was one everyday request and nothing else, the next one may be known by it.

        A head with an id of its own is not said again.
        """
        exchange = self.cycle
        if isinstance(exchange, Exchange) and exchange.is_everyday and exchange.head.request_id is None:
            exchange.known = remember(data, self._body_size, exchange.head)

    def _watch(self) -> None:
        """A request has begun but is not whole: its head must come in time as a whole, its body must keep coming."""
        if self._discarding:
            return
        limits = self.edge.limits
        if self._incomplete == "body":
            self.deadline = self.loop.time() + limits.body_idle_seconds
        elif self._fed > limits.head_bytes:
            self._reject(head_too_large(limits))
        elif not self._watched:
            self._watched = True
            self.deadline = self.loop.time() + limits.head_seconds

    def _ignore_upgrade(self, rest: bytes) -> None:
        """No protocol is switched to: the request is read as plain HTTP, its body included, and so is what follows.

        Some clients offer an upgrade (to h2c) with every request. llhttp stops at its head.
        """
        self.parser = httptools.HttpRequestParser(self)
        if self._unparsed:
            self._read_unparsed(rest)
        elif rest:
            self.data_received(rest)

    def _read_unparsed(self, data: bytes) -> None:
        """The body of such a request, whose length its head has told; then what comes behind it."""
        body, rest = data[: self._unparsed], data[self._unparsed :]
        self._unparsed -= len(body)
        if body:
            self.on_body(body)
        if self._unparsed:
            self._watch()
            return
        self.on_message_complete()
        if rest:
            self.data_received(rest)

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self._incomplete = "head"
        self._watched = False
        self._body_size = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._discarding:
            return
        self._incomplete = "body"
        headers = self.headers
        self.headers = []  # trailers, which come the same way, are not for the service
        fields = dict(headers)
        target = self.url
        refusal: ApiError | None = None
        if not self._is_usual(fields, headers):
            try:
                target = self._inspect(fields, headers)
            except ApiError as error:
                refusal = error
        self._fed = 0
        path, _, query = target.partition(b"?")
        method = self.parser.get_method()
        endpoint = _NOWHERE if refusal is not None else STANDARD.get(path) or self.edge.find(method, path)
        if endpoint is None:
            self._to_application(headers)
            return
        token = ""
        if refusal is None:
            try:
                token = self._caller(fields.get(b"authorization"))
                _check_method(method, endpoint)
            except ApiError as error:
                refusal = error
        exchange = self._exchange(endpoint, query, fields, headers, token)
        exchange.head_only = method == b"HEAD"
        self._enter(exchange, fields, refusal)

    def _is_usual(self, fields: dict[bytes, bytes], headers: Headers) -> bool:
        """True for a head in which nothing has to be looked at more closely."""
        limits = self.edge.limits
        return (
            self._fed <= limits.head_bytes
            and self.url[:1] == b"/"
            and b"host" in fields
            and int(fields.get(b"content-length", b"0")) <= limits.body_bytes
            and len(fields) == len(headers)
            and b"upgrade" not in fields
            and self.parser.should_keep_alive()
        )

    def _caller(self, authorization: bytes | None) -> str:
        """The caller's name, looked up anew only where it says another key than before. Raises ApiError (401)."""
        if self._token is None or authorization != self._authorization:
            self._token = None
            self._token = self.edge.keyring.check(authorization)
            self._authorization = authorization
        return self._token

    def _exchange(
        self, endpoint: Endpoint, query: bytes, fields: dict[bytes, bytes], headers: Headers, token: str
    ) -> Exchange:
        connection = fields.get(b"connection")
        head = Head(
            endpoint,
            f"{endpoint.path}?{query.decode('latin-1')}" if query else endpoint.path,
            forwarded(headers if connection is None else without_nominated(headers, connection)),
            fields.get(b"content-type", b""),
            token,
            sane_id(fields.get(b"x-request-id")),
        )
        exchange = Exchange(self, head)
        if connection is not None or not self.parser.should_keep_alive():
            exchange.keep_alive = self.parser.should_keep_alive()
            exchange.http10 = self.parser.get_http_version() == "1.0"
        return exchange

    def _enter(self, exchange: Exchange, fields: dict[bytes, bytes], refusal: ApiError | None) -> None:
        """The newest request: first in line, or queued, or refused."""
        self.cycle = exchange
        active = self.active
        if refusal is None and b"expect" not in fields and (active is None or active.response_complete):
            self.active = exchange
            self._parts = exchange.parts = []
        else:
            self._open(exchange, fields, refusal)

    def _inspect(self, fields: dict[bytes, bytes], headers: Headers) -> bytes:
        """A head that is not a usual one: its target in origin form. Raises ApiError for what is out of bounds."""
        target = inspect_head(self.url, headers, self.parser.get_http_version(), self.edge.limits)
        length = int(fields.get(b"content-length", b"0"))
        if length > self.edge.limits.body_bytes:
            raise self._too_large()
        if b"upgrade" in fields and self.parser.should_upgrade():
            if b"transfer-encoding" in fields:
                raise ApiError(INVALID_REQUEST, "A request that offers an upgrade must tell the length of its body.")
            self._unparsed = length
        return target

    def _too_large(self) -> ApiError:
        return ApiError(REQUEST_TOO_LARGE, f"The body is larger than {self.edge.limits.body_bytes} bytes.")

    def _to_application(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Hand the request to uvicorn's own cycle and FastAPI."""
        url = self.url
        super().on_message_begin()
        self.url = url
        self.scope["headers"] = headers
        self.expect_100_continue = any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in headers
        )
        super().on_headers_complete()

    def _open(self, exchange: Exchange, head: dict[bytes, bytes], refusal: ApiError | None) -> None:
        """A request that is refused, waits for its turn or wants to be asked for its body."""
        exchange.refusal = refusal
        exchange.wants_continue = head.get(b"expect", b"").lower() == b"100-continue"
        if refusal is None:
            self._parts = exchange.parts = []
        if self.active is not None and not self.active.response_complete:
            self.pipeline.appendleft((exchange, self.app))  # type: ignore[arg-type]
            if len(self.pipeline) >= self.edge.limits.queued_requests:
                self.flow.pause_reading()
            return
        self.active = exchange
        if refusal is not None:
            self._refuse_early(exchange, head)
        elif exchange.wants_continue:
            self.transport.write(wire.CONTINUE)

    def _refuse_early(self, exchange: Exchange, head: dict[bytes, bytes]) -> None:
        """Answer at once where the body is large or not sent yet; a small one is read: the connection lives on."""
        small = int(head.get(b"content-length", b"0")) <= _DRAINED_BODY and b"transfer-encoding" not in head
        if exchange.refusal is not None and (exchange.wants_continue or not small):
            exchange.refuse(exchange.refusal)

    def on_body(self, body: bytes) -> None:
        self._body_size += len(body)
        if self._body_size > self.edge.limits.body_bytes:
            self._reject(self._too_large())
        elif self._parts is not None:
            self._parts.append(body)
        elif not isinstance(self.cycle, Exchange):
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._unparsed:
            return
        self._incomplete = ""
        self._fed = 0
        self._parts = None
        cycle = self.cycle
        if not isinstance(cycle, Exchange):
            super().on_message_complete()
            return
        cycle.arrived = True
        if cycle is self.active and not cycle.begun:
            self.deadline = NEVER
            cycle.begin()

    # --- answering

    def date_line(self) -> bytes:
        """The `date` header, which uvicorn makes anew once a second."""
        headers = self.server_state.default_headers
        if headers is not self._dated:
            self._dated = headers
            self._date_line = b"".join(b"%b: %b\r\n" % header for header in headers)
        return self._date_line

    def pause_writing(self) -> None:
        super().pause_writing()
        if isinstance(self.active, Exchange):
            self.active.pause()

    def resume_writing(self) -> None:
        super().resume_writing()
        if isinstance(self.active, Exchange):
            self.active.proceed()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """uvicorn calls this for the request that is first in line: one of its own, or one of the lane's."""
        self.active = cycle
        self.deadline = NEVER
        if not isinstance(cycle, Exchange):
            super()._start_asgi_task(cycle, app)
            return
        if cycle.arrived:
            cycle.begin()
        elif cycle.refusal is not None:
            cycle.refuse(cycle.refusal)
        elif cycle.wants_continue:
            self.transport.write(wire.CONTINUE)

    def on_exchange_complete(self, exchange: Exchange) -> None:
        """An answer of the lane is whole: close, or go on with the next request."""
        if not exchange.keep_alive:
            self._linger_and_close() if not exchange.arrived else self.transport.close()
            self.server_state.total_requests += 1
        elif self.pipeline or self._incomplete or self._afterwards is not None or self.flow.read_paused:
            self.on_response_complete()
        else:
            self._known = exchange.known
            self.server_state.total_requests += 1
            self.deadline = self.loop.time() + self.edge.limits.keep_alive_seconds

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self._discarding or self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._afterwards is not None:
            error, self._afterwards = self._afterwards, None
            self._write_error_and_close(error)
        elif not self._incomplete:
            self.deadline = self.loop.time() + self.edge.limits.keep_alive_seconds

    def _reject(self, error: ApiError) -> None:
        """The connection's bytes make no sense any more (or come too slowly): tell so in turn, and close."""
        active = self.active
        if self._discarding or self.transport.is_closing():
            return
        if active is None or active.response_complete:
            self._write_error_and_close(error)
        elif active is self.cycle and self._incomplete == "body":
            self._refuse_unfinished(active, error)
        else:
            self._afterwards = error
            self.flow.pause_reading()

    def _refuse_unfinished(self, active: Exchange | RequestResponseCycle, error: ApiError) -> None:
        """The request whose body broke off is the one to be answered: with the error, unless an answer has begun."""
        if isinstance(active, Exchange):
            active.refuse(error)
        elif active.response_started:
            self.transport.close()
        else:
            self._write_error_and_close(error)

    def _write_error_and_close(self, error: ApiError) -> None:
        self.transport.write(wire.error_answer(error, new_id(), self.date_line()))
        self._linger_and_close()

    def _linger_and_close(self) -> None:
        """Close so that the client can still read the answer: what it goes on sending is discarded for a moment.

        A plain close with unread bytes makes the kernel reset the connection, answer and all (RFC 9112, 9.6).
        """
        self._discarding = True
        self.deadline = self.loop.time() + self.edge.limits.linger_seconds
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()


def _check_method(method: bytes, endpoint: Endpoint) -> None:
    """Raises ApiError (405)."""
    if method != endpoint.verb:
        message = f"{endpoint.path} takes {endpoint.method} only."
        raise ApiError(METHOD_NOT_ALLOWED, message, allow=endpoint.method)
