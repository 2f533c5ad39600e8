"""Forwards an event stream: whole events, as they come; one that breaks off goes on elsewhere or ends with an error."""

from nexus.contract.errors import ApiError
from nexus.contract.sse import encode
from nexus.gateway.relay.delivery import Delivery
from nexus.gateway.relay.events import EventGate, failure_in
from nexus.gateway.relay.passing import BrokenError, pass_events
from nexus.gateway.relay.recovery import Again, Recovery
from nexus.gateway.relay.result import Relayed
from nexus.gateway.relay.transcript import Transcript
from nexus.gateway.values import Call, Client, Plan, Reply


async def relay_events(
    call: Call, plan: Plan, reply: Reply, client: Client, result: Relayed, again: Again | None
) -> None:
    """Send the events of `reply`, whose head was sent. `again` makes another attempt; without it there is none.

    Only streams of chunks, which end with `[DONE]`, are checked and recovered.
    """
    marked = call.request.head.endpoint.done_marker
    transcript = Transcript() if marked and again is not None else None
    delivery = Delivery(client, result, transcript)
    gate = EventGate(checked=marked)
    cause: BrokenError | None = None
    try:
        await pass_events(reply.answer, gate, delivery.send, plan, client, marked=marked)
        result.error = gate.failure
    except BrokenError as error:
        cause = error
    finally:
        result.usage, result.events = gate.usage, gate.events
    if cause is not None and again is not None and transcript is not None and not cause.final:
        cause = await Recovery(call, plan, client, delivery, transcript, result).run(cause, again)
    if cause is None:
        client.finish()
    else:
        _end(cause, delivery, client, result)


def _end(cause: BrokenError, delivery: Delivery, client: Client, result: Relayed) -> None:
    """Tell why nothing more comes: as the service told it, or in one event of the gateway's own."""
    if cause.told:
        result.error = failure_in(cause.told)
        delivery.send(cause.told)
    else:
        error = ApiError(cause.kind, f"The stream was cut: {cause.message}.")
        result.error = error.code
        delivery.send(encode(error.body()))
    client.finish_and_close()
