"""Forwards a reply to the client as it comes, with back-pressure.

Laws: nothing is re-encoded, but for a stream that goes on elsewhere; nothing piles up beyond one read while the client
is slow; an answer that breaks off is told apart from one that ends: by an in-band error event without `[DONE]`, or by a
connection that is cut.
"""

from time import perf_counter

from nexus.contract.errors import ApiError
from nexus.contract.usage import read_usage
from nexus.gateway.relay import errors
from nexus.gateway.relay.follow import follow
from nexus.gateway.relay.recovery import Again
from nexus.gateway.relay.result import Relayed
from nexus.gateway.relay.stream import relay_events
from nexus.gateway.values import Call, Client, Plan, Reply

_AT_ONCE = b"x-nexus-attempts: 1\r\n"
_USAGE_LIMIT = 262_144  # bytes of a JSON answer that are kept to read its usage


def relay_whole(call: Call, reply: Reply, client: Client, result: Relayed) -> bool:
    """Send a good answer that is here already, as nearly all are; False for every other one: see `relay`."""
    answer = reply.answer
    head = answer.head
    status = result.status = head.status
    result.first_byte = perf_counter()
    if status >= 400 or head.is_events or not answer.complete:
        return False
    body = b"".join(answer.parts)
    client.send_whole(status, _head(head.forwarded, call, reply, result), body)
    result.bytes_out = len(body)
    if answer.was_read:
        result.usage = answer.usage
    elif head.is_json and b'"usage"' in body:
        result.usage = read_usage(body)
    return True


async def relay(
    call: Call, plan: Plan, reply: Reply, client: Client, result: Relayed, again: Again | None = None
) -> None:
    """Send `reply` to `client`, filling in `result`. Raises ApiError as long as nothing was sent.

    `again` makes another attempt at a stream that breaks off; None: such a stream ends with an error.
    """
    if relay_whole(call, reply, client, result):
        return
    head = reply.answer.head
    if head.status >= 400:
        await _relay_error(call, plan, reply, client, result)
    elif head.is_events:
        client.send_head(head.status, _head(head.forwarded, call, reply, result), None)
        await relay_events(call, plan, reply, client, result, again)
    else:
        await _relay_bytes(call, plan, reply, client, result)


def _head(lines: bytes, call: Call, reply: Reply, result: Relayed) -> bytes:
    """The lines of an answer's head: the service's, and what is left to the caller, who gave it, as which model,
    at which attempt."""
    identity, attempts = call.request.request_id.encode(), reply.attempts
    told = _AT_ONCE if attempts == 1 else b"x-nexus-attempts: %d\r\n" % attempts
    return b"".join((lines, result.limits, b"x-request-id: ", identity, b"\r\n", reply.target.head, told))


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
        await follow(reply.answer, pass_on, plan, client)
    except ApiError as error:
        result.error = error.code
        client.cut()
        return
    client.finish()
    if head.is_json and result.bytes_out <= _USAGE_LIMIT:
        result.usage = read_usage(b"".join(seen))


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
