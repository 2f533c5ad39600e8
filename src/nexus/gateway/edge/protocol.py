"""The seam to uvicorn: its httptools protocol, with the inference lane beside the ASGI application.

Requests whose path is in the lane become an `Exchange`; all others go through uvicorn's own cycle to FastAPI.
Answers keep the order of their requests, and only so many requests wait for their turn. A client that leaves is
noticed at once, whatever is going on.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from nexus.contract.errors import REQUEST_TIMEOUT, ApiError
from nexus.gateway.edge import wire
from nexus.gateway.edge.exchange import NEVER, Exchange
from nexus.gateway.edge.identity import new_id
from nexus.gateway.edge.reading import RequestReader
from nexus.gateway.values import EndingError

_DRAINED_BODY: Final = 65_536  # a refused request's body up to this size is read, so that the connection lives on


class EdgeProtocol(RequestReader):
    """One client connection: the order of its answers, and its end. The sweeper looks at its bounds."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._afterwards: ApiError | None = None  # what is to be told, and the connection closed, after the answers
        self._dated: list[tuple[bytes, bytes]] | None = None
        self._date_line = b""
        self._taking_turns = False

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
        """A client that sends no more has left, unless FastAPI is answering it: inference is not done for nobody.

        FastAPI's request, too, is nobody's any more when its body cannot become whole.
        """
        active = self.active
        if active is None or active.response_complete or self._discarding:
            return None
        if isinstance(active, Exchange):
            active.gone()
            self.transport.abort()
            return None
        if self._incomplete and active is self.cycle:
            self.transport.abort()
            return None
        active.keep_alive = False
        return True

    def sweep(self, now: float) -> None:
        """Called several times a second: end what has taken too long."""
        active = self.active
        if isinstance(active, Exchange) and not active.response_complete and active.is_late(now):
            active.expire()
        elif isinstance(active, Exchange) and not active.response_complete and active.comment_at < now:
            active.comment(now)
        elif self.deadline < now:
            self.deadline = NEVER
            self._client_too_slow()

    def shutdown(self) -> None:
        """uvicorn asks for the end of the connection: at once if it is idle, else after its answer.

        A request that has begun to come is answered, and a connection that is so new that its first one may be on the
        way has a moment for it.
        """
        if self.cycle is None and not self._incomplete:
            self.deadline = self.loop.time() + self.edge.limits.linger_seconds
        elif self._incomplete != "head":
            super().shutdown()

    def break_off(self) -> None:
        """The gateway ends: an answer of the lane that is not whole ends with an error, in whatever phase it is."""
        active = self.active
        if isinstance(active, Exchange) and not active.response_complete:
            active.keep_alive = False
            active.interrupt(EndingError())

    def _client_too_slow(self) -> None:
        if self._incomplete and not self._discarding:
            self.reject(ApiError(REQUEST_TIMEOUT, f"The request's {self._incomplete} did not come in time."))
        else:
            self.transport.abort() if self._discarding else self.transport.close()

    # --- requests in their order

    def enter(self, exchange: Exchange, fields: dict[bytes, bytes], refusal: ApiError | None) -> None:
        """The newest request: first in line, or queued, or refused."""
        self.cycle = exchange
        active = self.active
        if refusal is None and b"expect" not in fields and (active is None or active.response_complete):
            self.active = exchange
            self._parts = exchange.parts = []
        else:
            self._open(exchange, fields, refusal)

    def _open(self, exchange: Exchange, head: dict[bytes, bytes], refusal: ApiError | None) -> None:
        """A request that is refused, waits for its turn or wants to be asked for its body."""
        exchange.refusal = refusal
        exchange.wants_continue = head.get(b"expect", b"").lower() == b"100-continue"
        if refusal is None:
            self._parts = exchange.parts = []
        if self.active is not None and not self.active.response_complete:
            self.pipeline.appendleft((exchange, self.app))  # type: ignore[arg-type]
            if len(self.pipeline) >= self.edge.limits.queued_requests:
                self.hold()
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
        if not self._incomplete:
            self.deadline = NEVER
        elif cycle is self.cycle:
            self._watch()  # its body is still to come
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
            self._linger_and_close() if not exchange.arrived else self._close()
        elif self.pipeline or self._incomplete or self._afterwards is not None or self.flow.read_paused:
            self.on_response_complete()
        else:
            self._known = exchange.known
            self.deadline = self.loop.time() + self.edge.limits.keep_alive_seconds

    def on_response_complete(self) -> None:
        """Go on with the next request. uvicorn's own counts those that ended, which nobody here asks for."""
        if self._taking_turns:
            return
        self._take_turns()
        if self._is_over():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if not self.pipeline:
            self.let_go()
        if self.active is not None and not self.active.response_complete:
            return
        if self._afterwards is not None:
            error, self._afterwards = self._afterwards, None
            self._write_error_and_close(error)
        elif not self._incomplete:
            self.deadline = self.loop.time() + self.edge.limits.keep_alive_seconds

    def _take_turns(self) -> None:
        """Start what waits, up to the first that takes time: a loop, for very many may be answered on the spot."""
        self._taking_turns = True
        while self.pipeline and not self._is_over() and (self.active is None or self.active.response_complete):
            self._start_asgi_task(*self.pipeline.pop())
        self._taking_turns = False

    def _is_over(self) -> bool:
        """True if nothing more will be answered on this connection."""
        return self.transport.is_closing() or (self._discarding and self._afterwards is None)

    def reject(self, error: ApiError) -> None:
        """The connection's bytes make no sense any more (or come too slowly): tell so in turn, and close."""
        active = self.active
        if self._discarding or self.transport.is_closing():
            return
        if active is not None and active is self.cycle and active.response_complete and self._incomplete == "body":
            self._linger_and_close()  # the request was answered before its body came, and gets no second answer
        elif active is None or active.response_complete:
            self._write_error_and_close(error)
        elif active is self.cycle and self._incomplete == "body":
            self._refuse_unfinished(active, error)
        else:
            self._afterwards = error
            self._discarding = True

    def _refuse_unfinished(self, active: Exchange | RequestResponseCycle, error: ApiError) -> None:
        """The request whose body broke off is the one to be answered: with the error, unless an answer has begun."""
        if isinstance(active, Exchange):
            active.refuse(error)
        elif active.response_started:
            self.transport.close()
        else:
            active.disconnected = True  # its application may begin to answer only now, and there is one answer
            active.message_event.set()
            self._write_error_and_close(error)

    def _write_error_and_close(self, error: ApiError) -> None:
        self.transport.write(wire.error_answer(error, new_id(), self.date_line()))
        self._linger_and_close()

    def _close(self) -> None:
        """Close once everything is sent; a client that never takes it is given up after the keep-alive time."""
        self._discarding, self._afterwards = True, None
        self.deadline = self.loop.time() + self.edge.limits.keep_alive_seconds
        self.transport.close()

    def _linger_and_close(self) -> None:
        """Close so that the client can still read the answer: what it goes on sending is discarded for a moment.

        A plain close with unread bytes makes the kernel reset the connection, answer and all (RFC 9112, 9.6).
        """
        self._discarding, self._afterwards = True, None
        self.deadline = self.loop.time() + self.edge.limits.linger_seconds
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()
