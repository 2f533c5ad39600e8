"""Reads requests from a client's bytes: which are the lane's, which FastAPI's, and which are out of bounds.

What uvicorn leaves open is bounded here: the size of a head, the time a head or body may take, the size of a body.
llhttp judges what is valid HTTP; a head that it has judged before, byte for byte, is known again (`gateway.recall`).
"""

import logging
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from nexus.contract.errors import INTERNAL_ERROR, INVALID_REQUEST, REQUEST_TOO_LARGE, ApiError
from nexus.gateway.edge.auth import check_address
from nexus.gateway.edge.context import Edge
from nexus.gateway.edge.exchange import NEVER, Exchange
from nexus.gateway.edge.head import check_method, head_too_large, inspect_head, without_nominated
from nexus.gateway.edge.identity import sane_id
from nexus.gateway.edge.lines import forwarded
from nexus.gateway.edge.patience import read_patience
from nexus.gateway.endpoints import STANDARD, Endpoint
from nexus.gateway.recall import Known, remember
from nexus.gateway.values import Head, Headers
from nexus.policies.token import Bearer

_HELD: Final = 262_144  # bytes that are kept while too many requests wait already
_UPLOADS: Final = b"/v1/files"
_NOWHERE: Final = Endpoint("unknown", "", "")
_log = logging.getLogger(__name__)


class RequestReader(HttpToolsProtocol):
    """The reading half of a client connection. What becomes of requests and answers is the other half's.

    `deadline` (loop time) is when the client must have moved on. `active` is the request whose answer is due.
    """

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
        self._discarding = False  # nothing that still comes matters
        self._held: bytearray | None = None  # what comes is kept for later: too many requests wait for their turn
        self._parts: list[bytes] | None = None  # where the body goes that comes now, if to the lane
        self._authorization: bytes | None = None  # the last one that was let in on this connection, if one was,
        self._bearer: Bearer | None = None  # and whose it is,
        self._keys = 0  # by the keyring of that version

    def enter(self, exchange: Exchange, fields: dict[bytes, bytes], refusal: ApiError | None) -> None:
        """The head of a request for the lane has come; `refusal` says why it will not be served."""
        raise NotImplementedError

    def reject(self, error: ApiError) -> None:
        """The connection's bytes make no sense any more (or come too slowly)."""
        raise NotImplementedError

    def date_line(self) -> bytes:
        """The `date` header of an answer, as a line."""
        raise NotImplementedError

    def on_exchange_complete(self, exchange: Exchange) -> None:
        """An answer of the lane is whole."""
        raise NotImplementedError

    def hold(self) -> None:
        """Read on, to notice when the client leaves, but take in no further request for now."""
        if self._held is None:
            self._held = bytearray()
            self.deadline = NEVER

    def let_go(self) -> None:
        """There is room again: take in what was held."""
        held, self._held = self._held, None
        if held:
            self.data_received(bytes(held))
        elif held is not None and self._incomplete:
            self._watch()

    def data_received(self, data: bytes) -> None:
        known, self._known = self._known, None
        if known is None or self._keys != self.edge.keyring.version:
            self._parse(data)
            return
        body = known.body_of(data)
        if body is None or len(body) > self.edge.limits.body_bytes:
            self._parse(data)
            return
        self.deadline = NEVER
        self.cycle = self.active = exchange = Exchange(self, known.meaning)
        exchange.known = known
        exchange.tell(body, exchange.started)  # it has come in one piece

    def _parse(self, data: bytes) -> None:
        if self._discarding:
            return
        if self._held is not None:
            self._held += data
            if len(self._held) > _HELD:
                self.flow.pause_reading()
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
            self.reject(ApiError(INTERNAL_ERROR, "The gateway failed on this request; its log says why."))
            return
        except httptools.HttpParserError as error:
            self.reject(ApiError(INVALID_REQUEST, f"This is not a valid HTTP/1.1 request: {error}."))
            return
        if self._incomplete:
            self._watch()
        elif first:
            self._remember(data)

    def _remember(self, data: bytes) -> None:
        """If this read was one everyday request and nothing else, the next one may be known by it.

        A head with an id of its own is not said again; a session is looked up each time, so that its use is known.
        """
        exchange = self.cycle
        if isinstance(exchange, Exchange) and exchange.is_everyday and exchange.head.request_id is None:
            exchange.known = remember(data, self._body_size, exchange.head)

    def _watch(self) -> None:
        """A request has begun but is not whole: its head must come in time as a whole, its body must keep coming."""
        if self._discarding or self._held is not None:
            return
        limits = self.edge.limits
        if self._incomplete == "body":
            self.deadline = self.loop.time() + limits.body_idle_seconds
        elif self._fed > limits.head_bytes:
            self.reject(head_too_large(limits))
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
        bearer: Bearer | None = None
        patience: tuple[float | None, float | None] = (None, None)
        if refusal is None:
            try:
                self._let_knock(path, endpoint, headers, fields)
                bearer = self._caller(fields, headers)
                check_method(method, endpoint)
                patience = read_patience(fields)
            except ApiError as error:
                refusal = error
        exchange = self._exchange(endpoint, query, fields, headers, bearer or Bearer(""), patience)
        exchange.head_only = method == b"HEAD"
        self.enter(exchange, fields, refusal)

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

    def _let_knock(self, path: bytes, endpoint: Endpoint, headers: Headers, fields: dict[bytes, bytes]) -> None:
        """Ask the guard; what a service is asked under its own name is also what it is asked. Raises ApiError (403)."""
        self.edge.guard.check(path.decode("latin-1"), self.client, headers, fields)
        if endpoint.service is not None and not endpoint.itself:
            self.edge.guard.check(endpoint.path, self.client, headers, fields)

    def _caller(self, fields: dict[bytes, bytes], headers: Headers) -> Bearer:
        """Who calls, looked up anew for another key than before and for a loan, which may be over. Raises ApiError."""
        authorization = fields.get(b"authorization")
        if authorization is None and b"cookie" in fields and self.edge.visitors is not None:
            visitor = self.edge.visitors.check_asking(fields)
            if visitor is not None:
                check_address(visitor, self.edge.guard.source(self.client, headers))
                return visitor
        keys = self.edge.keyring.version
        if self._bearer is None or self._bearer.lent or authorization != self._authorization or keys != self._keys:
            self._bearer = None
            self._keys = keys
            self._bearer = self.edge.keyring.check(authorization)
            self._authorization = authorization
        if self._bearer.is_bound_to_addresses:
            check_address(self._bearer, self.edge.guard.source(self.client, headers))
        return self._bearer

    def _exchange(
        self,
        endpoint: Endpoint,
        query: bytes,
        fields: dict[bytes, bytes],
        headers: Headers,
        bearer: Bearer,
        patience: tuple[float | None, float | None],
    ) -> Exchange:
        connection = fields.get(b"connection")
        head = Head(
            endpoint,
            f"{endpoint.path}?{query.decode('latin-1')}" if query else endpoint.path,
            forwarded(headers if connection is None else without_nominated(headers, connection)),
            fields.get(b"content-type", b""),
            bearer,
            sane_id(fields.get(b"x-request-id")),
            b", ".join([value for name, value in headers if name == b"prefer"]) if b"prefer" in fields else b"",
            fields.get(b"host", b""),
            *patience,
        )
        exchange = Exchange(self, head)
        if connection is not None or not self.parser.should_keep_alive():
            exchange.keep_alive = self.parser.should_keep_alive()
            exchange.http10 = self.parser.get_http_version() == "1.0"
        if self.edge.draining:
            exchange.keep_alive = False
        return exchange

    def _inspect(self, fields: dict[bytes, bytes], headers: Headers) -> bytes:
        """A head that is not a usual one: its target in origin form. Raises ApiError for what is out of bounds."""
        length = int(fields.get(b"content-length", b"0"))
        if self.parser.should_upgrade():
            self._unparsed = length  # first of all: the body of a request that is refused is no request either
            if b"transfer-encoding" in fields:
                raise ApiError(INVALID_REQUEST, "A request that offers an upgrade must tell the length of its body.")
        target = inspect_head(self.url, headers, self.parser.get_http_version(), self.edge.limits)
        if length > self._largest(target):
            raise self._too_large(target)
        return target

    def _largest(self, target: bytes) -> int:
        """How many bytes a body may have."""
        return self.edge.limits.upload_bytes if target.partition(b"?")[0] == _UPLOADS else self.edge.limits.body_bytes

    def _too_large(self, target: bytes) -> ApiError:
        return ApiError(REQUEST_TOO_LARGE, f"The body is larger than {self._largest(target)} bytes.")

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
        if self.edge.draining:
            self.cycle.keep_alive = False
        if self.pipeline and self.flow.read_paused:
            self.flow.resume_reading()  # uvicorn pauses behind a request that runs, and would not see the client leave
            self.hold()

    def on_body(self, body: bytes) -> None:
        self._body_size += len(body)
        if self._body_size > self.edge.limits.body_bytes and self._body_size > self._largest(self.url):
            self.reject(self._too_large(self.url))
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
        if not self._discarding:
            # From here on the gateway is waited for; unless FastAPI did not wait for the body and has answered.
            answered = cycle.response_complete
            self.deadline = self.loop.time() + self.edge.limits.keep_alive_seconds if answered else NEVER
        if not isinstance(cycle, Exchange):
            super().on_message_complete()
            return
        cycle.arrived = True
        if cycle is self.active and not cycle.begun:
            cycle.begin()
