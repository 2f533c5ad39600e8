"""A stream's end is told to its client and to the record alike."""

import pytest

from nexus.contract.usage import Usage
from nexus.gateway.relay.result import Relayed
from nexus.gateway.relay.stream import relay_events
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.gateway.values import Plan, Reply, Timeouts
from tests.servers.caller import Caller
from tests.servers.calls import endpoint, make_call, make_target
from tests.servers.peer import Peer

DONE = b"data: [DONE]\n\n"
CHUNK = b'data: {"usage":{"prompt_tokens":7,"completion_tokens":1}}\n\n'
TOLD = b'data: {"error":{"message":"no","code":"busy"}}\n\n'


@pytest.mark.parametrize(
    ("operation", "sent", "body", "end", "error", "passed"),
    [
        ("chat.completions", CHUNK + DONE, CHUNK + DONE, "finished", "", 2),
        ("completions", CHUNK + TOLD + DONE, CHUNK + TOLD, "closed", "busy", 1),
        ("messages", CHUNK + TOLD, CHUNK + TOLD, "finished", "busy", 2),
        ("messages", CHUNK, CHUNK, "finished", "", 1),
    ],
)
async def test_what_was_passed_is_told(
    upstreams: Upstreams, peer: Peer, operation: str, sent: bytes, body: bytes, end: str, error: str, passed: int
) -> None:
    target = make_target(peer.url)
    connection = await Caller().run(upstreams.pool(target.instance).open())
    answer = connection.request(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", b"")
    side = await peer.accept()
    await side.request()
    side.events(sent)
    side.close()
    caller, result = Caller(), Relayed()
    caller.send_head(200, b"", None)
    call = make_call(at=endpoint(operation), stream=True)
    plan = Plan((target,), Timeouts())
    await caller.run(relay_events(call, plan, Reply(answer, target, 1), caller, result, None))
    assert (caller.body, caller.end) == (body, end)
    assert (result.error, result.bytes_out, result.usage) == (error, len(body), Usage(7, 1))
    assert result.events == passed
