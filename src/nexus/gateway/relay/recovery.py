"""Asks others for an answer that has broken off, until one goes on from what the client was given.

A model whose card says `continuation` is asked for the rest at once, as that costs it no token twice; any other one is
asked the same again, and has to begin with the very text that was delivered. How often, and who, is the dispatcher's to
say. What the client was given is never taken back: if nobody goes on from it, the stream ends with its first error.
"""

from collections.abc import Awaitable, Callable

import msgspec

from nexus.contract.errors import ApiError
from nexus.contract.sse import DONE
from nexus.gateway.relay.continuation import continued_body
from nexus.gateway.relay.delivery import Delivery
from nexus.gateway.relay.events import EventGate
from nexus.gateway.relay.passing import BrokenError, pass_events
from nexus.gateway.relay.result import Relayed
from nexus.gateway.relay.splice import DivergedError, Splice
from nexus.gateway.relay.transcript import Transcript
from nexus.gateway.relay.wishes import is_whole
from nexus.gateway.values import Call, Client, Plan, Reply

Again = Callable[[Call], Awaitable[Reply]]
"""Another attempt at a call, after one that broke off. Raises ApiError where there is none."""


class Recovery:
    """One stream that has broken off."""

    def __init__(
        self, call: Call, plan: Plan, client: Client, delivery: Delivery, transcript: Transcript, result: Relayed
    ) -> None:
        self._call = call
        self._plan = plan
        self._client = client
        self._delivery = delivery
        self._transcript = transcript
        self._result = result
        self._declined = False  # somebody would not continue a text that was begun for it

    async def run(self, cause: BrokenError, again: Again) -> BrokenError | None:
        """None once the client has everything; else the error that its stream has to end with: `cause`."""
        farewell = b""
        while True:
            delivered = self._transcript.delivered()
            if is_whole(self._call, delivered):
                self._send(farewell + b"data: " + DONE + b"\n\n")
                return None
            if not delivered.joinable or delivered.done:
                return cause
            body = None if self._declined else continued_body(self._call.request.body, delivered)
            try:
                reply = await again(msgspec.structs.replace(self._call, continued=body))
            except ApiError:
                return cause
            farewell = _farewell(reply)
            continued = body is not None and reply.target.continues
            head = reply.answer.head
            if head.status != 200 or not head.is_events:
                self._declined = self._declined or (continued and 400 <= head.status < 500)
                continue
            try:
                await self._join(reply, Splice(delivered, farewell, continued=continued))
            except DivergedError:
                continue
            except BrokenError as error:
                if error.final:
                    return cause
            else:
                return None

    async def _join(self, reply: Reply, splice: Splice) -> None:
        """Send what `reply` says beyond what was delivered. Raises DivergedError, BrokenError."""

        def send(data: bytes) -> None:
            self._send(splice.feed(data))

        try:
            await pass_events(reply.answer, EventGate(checked=True), send, self._plan, self._client, marked=True)
        finally:
            self._result.usage = splice.usage or self._result.usage

    def _send(self, data: bytes) -> None:
        if data:
            self._delivery.send(data)
            self._result.events += data.count(b"\n\n")


def _farewell(reply: Reply) -> bytes:
    """A comment, which clients pass over: the head of the answer named the first attempt, this names the last."""
    return f": x-nexus-attempts={reply.attempts}; x-nexus-model={reply.target.model}\n\n".encode()
