"""Forwards a reply to the client as it comes, with back-pressure.

Laws: nothing is re-encoded; nothing piles up beyond one read while the client is slow; an answer that breaks off
is told apart from one that ends: by an in-band error event without `[DONE]`, or by a connection that is cut.
"""

from collections.abc import Callable
from time import perf_counter

from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus.contract.sse import encode
from nexus.contract.usage import read_usage
from nexus.gateway.relay import errors
from nexus.gateway.relay.events import EventGate, EventTooLargeError
from nexus.gateway.relay.result import Relayed
from nexus.gateway.upstream.connection import Answer
from nexus.gateway.values import Call, Client, LateError, Plan, Reply

_USAGE_LIMIT = 262_144  # bytes of a JSON answer that are kept to read its usage


async def relay(call: Call, plan: Plan, reply: Reply, client: Client, result: Relayed) -> None:
    """Send `reply` to `client`, filling in `result`. Raises ApiError as long as nothing was sent."""
    head = reply.answer.head
    result.status = head.status
    result.first_byte = perf_counter()
    if head.status >= 400:
        await _relay_error(call, plan, reply, client, result)
    elif head.is_events:
        await _relay_events(call, plan, reply, client, result)
    elif reply.answer.complete:
        _send_whole(call, reply, client, result)
    else:
        await _relay_bytes(call, plan, reply, client, result)


def _send_whole(call: Call, reply: Reply, client: Client, result: Relayed) -> None:
    answer = reply.answer
    head = answer.head
    body = answer.take()
    client.send_whole(head.status, _head(head.forwarded, call, reply, result), body)
    result.bytes_out = len(body)
    if head.is_json and b'"usage"' in body:
        result.usage = read_usage(body)


def _head(lines: bytes, call: Call, reply: Reply, result: Relayed) -> bytes:
    """The lines of an answer's head: the service's, and what is left to the caller, who gave it, as which model,
    at which attempt."""
    return b"%b%bx-request-id: %b\r\n%bx-nexus-attempts: %d\r\n" % (
        lines,
        result.limits,
        call.request.request_id.encode(),
        reply.target.head,
        reply.attempts,
    )


async def _relay_bytes(call: Call, plan: Plan, reply: Reply, client: Client, result: Relayed) -> None:
    head = reply.answer.head
    client.send_head(head.status, _head(head.forwarded, call, reply, result), reply.answer.length)
    seen: list[bytes] = []

    def pass_on(data: bytes) -> None:
        client.send(data)
        result.bytes_out += len(data)
        if head.is_json and result.bytes_out <= _USAGE_LIMIT:
            seen.append(data)

    try:
        await _follow(reply.answer, pass_on, plan, client)
    except ApiError as error:
        result.error = error.code
        client.cut()
        return
    client.finish()
    if head.is_json and result.bytes_out <= _USAGE_LIMIT:
        result.usage = read_usage(b"".join(seen))


async def _relay_events(call: Call, plan: Plan, reply: Reply, client: Client, result: Relayed) -> None:
    gate = EventGate()
    head = reply.answer.head
    client.send_head(head.status, _head(head.forwarded, call, reply, result), None)

    def pass_on(data: bytes) -> None:
        whole = gate.pass_on(data)
        if whole:
            client.send(whole)
            result.bytes_out += len(whole)

    try:
        await _follow(reply.answer, pass_on, plan, client)
        rest = gate.rest()
        if rest:
            client.send(rest)
            result.bytes_out += len(rest)
        if not gate.whole:
            raise ApiError(UPSTREAM_ERROR, "it ended in the middle of an event")
        result.error = gate.failure
        if call.request.head.endpoint.done_marker and not gate.done and not result.error:
            raise ApiError(UPSTREAM_ERROR, "it ended without saying that it was done")
    except (ApiError, EventTooLargeError) as cause:
        kind = cause.kind if isinstance(cause, ApiError) else UPSTREAM_ERROR
        error = ApiError(kind, f"The stream was cut: {cause}.")
        result.error = error.code
        client.send(encode(error.body()))
        client.finish_and_close()
    else:
        client.finish()
    finally:
        result.usage, result.events = gate.usage, gate.events


async def _follow(answer: Answer, pass_on: Callable[[bytes], None], plan: Plan, client: Client) -> None:
    """Hand on the body as it comes and as the client takes it. Raises ApiError if it breaks off or stalls."""
    while True:
        data = answer.take()
        if data:
            pass_on(data)
        elif answer.failure:
            raise ApiError(UPSTREAM_ERROR, answer.failure)
        elif answer.complete:
            return
        if client.write_paused:
            answer.pause()
            client.expect_within(plan.timeouts.reader, "find a reader for its answer")
            try:
                await client.drain()
            finally:
                answer.proceed()  # also when the client leaves: an answer that is whole gives its connection back
        elif not (answer.complete or answer.failure):
            client.expect_within(plan.timeouts.idle, "go on with its answer")
            try:
                await answer
            except LateError as late:
                if not late.final:
                    answer.stall()  # the circuits hear of it
                raise


async def _relay_error(call: Call, plan: Plan, reply: Reply, client: Client, result: Relayed) -> None:
    """A service's error, whole: passed on where it is in the envelope, else told in it."""
    answer = reply.answer
    body = answer.take()
    while not (answer.complete or answer.failure) and len(body) < errors.LIMIT:
        client.expect_within(plan.timeouts.idle, "go on with its answer")
        await answer
        body += answer.take()
    if answer.complete and errors.is_envelope(body):
        body, result.error = errors.complete_envelope(body)
        kept = b"".join([line for name, line in answer.head.lines() if name != b"content-type"])
    else:
        error = errors.translate(answer.head.status, body, reply.target.instance.service)
        result.status, result.error, body = error.status, error.code, error.body()
        kept = b"".join([line for name, line in answer.head.lines() if name == b"retry-after"])
    head = _head(b"content-type: application/json\r\n" + kept, call, reply, result)
    client.send_whole(result.status, head, body)
    result.bytes_out = len(body)
