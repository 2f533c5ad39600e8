"""What is sent is counted, and remembered where it may be needed."""

from nexus.gateway.relay.delivery import Delivery
from nexus.gateway.relay.result import Relayed
from nexus.gateway.relay.transcript import Transcript
from tests.servers.caller import Caller

EVENT = b'data: {"choices":[{"index":0,"text":"x"}]}\n\n'


async def test_events_are_sent_counted_and_remembered() -> None:
    for transcript in (Transcript(), None):
        caller, result = Caller(), Relayed()
        caller.send_head(200, b"", None)
        delivery = Delivery(caller, result, transcript)
        delivery.send(EVENT)
        delivery.send(EVENT)
        assert (caller.body, result.bytes_out) == (2 * EVENT, 2 * len(EVENT))
        if transcript is not None:
            assert transcript.delivered().choices[0].tracks == {("text", -1): "xx"}
