"""Forwards a reply to the client as it comes, with back-pressure.

Laws: nothing is re-encoded; nothing piles up beyond one read while the client is slow; an answer that breaks off
is told apart from one that ends: by an in-band error event without `[DONE]`, or by a connection that is cut.
"""

from collections.abc import AsyncGenerator
from time import perf_counter

from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus.contract.sse import encode
from nexus.contract.usage import read_usage
from nexus.gateway.relay import errors
from nexus.gateway.relay.events import EventGate, EventTooLargeError
from nexus.gateway.relay.head import answer_head, own_head
from nexus.gateway.relay.result import Relayed
from nexus.gateway.values import Call, Client, Plan, Reply

_JSON = b"application/json"
_USAGE_LIMIT = 262_144  # bytes of a JSON answer that are kept to read its usage


async def relay(call: Call, plan: Plan, reply: Reply, client: Client, result: Relayed) -> None:
    """Send `reply` to `client`, filling in `result`. Raises ApiError as long as nothing was sent."""
    answer = reply.answer
    result.status = answer.status
    result.first_byte = perf_counter()
    if answer.status >= 400:
        await _relay_error(call, plan, reply, client, result)
    elif answer.content_type.startswith(b"text/event-stream"):
        await _relay_events(call, plan, reply, client, result)
    elif answer.complete:
        _send_whole(call, reply, client, result)
    else:
        await _relay_bytes(call, plan, reply, client, result)


def _send_whole(call: Call, reply: Reply, client: Client, result: Relayed) -> None:
    answer = reply.answer
    body = answer.take()
    client.send_whole(answer.status, answer_head(answer.headers, call.request.request_id, reply), body)
    result.bytes_out = len(body)
    if b'"usage"' in body and answer.content_type.startswith(_JSON):
        result.usage = read_usage(body)


async def _relay_bytes(call: Call, plan: Plan, reply: Reply, client: Client, result: Relayed) -> None:
    answer = reply.answer
    json = answer.content_type.startswith(_JSON)
    head = answer_head(answer.headers, call.request.request_id, reply)
    client.send_head(answer.status, head, answer.length)
    seen: list[bytes] = []
    try:
        async for data in _pieces(plan, reply, client):
            client.send(data)
            result.bytes_out += len(data)
            if json and result.bytes_out <= _USAGE_LIMIT:
                seen.append(data)
    except ApiError as error:
        result.error = error.code
        client.cut()
        return
    client.finish()
    if json and result.bytes_out <= _USAGE_LIMIT:
        result.usage = read_usage(b"".join(seen))


async def _relay_events(call: Call, plan: Plan, reply: Reply, client: Client, result: Relayed) -> None:
    gate = EventGate()
    answer = reply.answer
    client.send_head(answer.status, answer_head(answer.headers, call.request.request_id, reply), None)
    try:
        async for data in _pieces(plan, reply, client):
            _send(client, gate.pass_on(data), result)
        _send(client, gate.rest(), result)
        if not gate.whole:
            raise ApiError(UPSTREAM_ERROR, "it ended in the middle of an event")
        if call.request.endpoint.done_marker and not gate.done:
            raise ApiError(UPSTREAM_ERROR, "it ended without saying that it was done")
    except (ApiError, EventTooLargeError) as cause:
        kind = cause.kind if isinstance(cause, ApiError) else UPSTREAM_ERROR
        error = ApiError(kind, f"The stream was cut: {cause}.")
        result.error = error.code
        client.send(encode(error.body()))
        client.finish_and_close()
    else:
        client.finish()
    result.usage = gate.usage


def _send(client: Client, data: bytes, result: Relayed) -> None:
    if data:
        client.send(data)
        result.bytes_out += len(data)


async def _pieces(plan: Plan, reply: Reply, client: Client) -> AsyncGenerator[bytes]:
    """The body as it comes and as the client takes it. Raises ApiError if it breaks off or stalls."""
    answer = reply.answer
    while True:
        data = answer.take()
        if data:
            yield data
        elif answer.failure:
            raise ApiError(UPSTREAM_ERROR, answer.failure)
        elif answer.complete:
            return
        if client.write_paused:
            answer.pause()
            client.expect_within(plan.timeouts.total, "find a reader for its answer")
            await client.drain()
            answer.proceed()
        elif not (answer.complete or answer.failure):
            client.expect_within(plan.timeouts.idle, "go on with its answer")
            await answer.arrival


async def _relay_error(call: Call, plan: Plan, reply: Reply, client: Client, result: Relayed) -> None:
    """A service's error, whole: passed on where it is in the envelope, else told in it."""
    answer = reply.answer
    body = answer.take()
    while not (answer.complete or answer.failure) and len(body) < errors.LIMIT:
        client.expect_within(plan.timeouts.idle, "go on with its answer")
        await answer.arrival
        body += answer.take()
    if answer.complete and errors.is_envelope(body):
        body, result.error = errors.complete_envelope(body)
        kept = [(name, line) for name, line in answer.headers if name != b"content-type"]
        head = b"content-type: application/json\r\n" + answer_head(kept, call.request.request_id, reply)
    else:
        error = errors.translate(answer.status, body, reply.target.instance.service)
        result.status, result.error, body = error.status, error.code, error.body()
        waits = [line + b"\r\n" for name, line in answer.headers if name == b"retry-after"]
        head = b"content-type: application/json\r\n" + b"".join(waits) + own_head(call.request.request_id, reply)
    client.send_whole(result.status, head, body)
    result.bytes_out = len(body)
