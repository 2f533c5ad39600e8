"""Passes one answer's events on, up to its good end or to the error that says why there was none."""

from collections.abc import Callable

from nexus.contract.errors import UPSTREAM_ERROR, ApiError, ErrorKind
from nexus.gateway.relay.events import EventGate, EventTooLargeError
from nexus.gateway.relay.follow import NoReaderError, follow
from nexus.gateway.upstream.connection import Answer
from nexus.gateway.values import Client, EndingError, LateError, Plan


class BrokenError(ApiError):
    """A stream came to no good end. `told` is the service's own error event; `final`: asking again would not help."""

    def __init__(self, kind: ErrorKind, message: str, *, told: bytes = b"", final: bool = False) -> None:
        super().__init__(kind, message)
        self.told = told
        self.final = final


async def pass_events(
    answer: Answer, gate: EventGate, send: Callable[[bytes], None], plan: Plan, client: Client, *, marked: bool
) -> None:
    """Hand the whole events of `answer` to `send`. `marked`: its last one is `[DONE]`. Raises BrokenError.

    What is the service's fault is noted as the answer's failure, where the circuits hear of it.
    """
    try:
        await _pass(answer, gate, send, plan, client, marked=marked)
    except BrokenError as error:
        if not error.final and not answer.failure:
            answer.failure = error.message
        raise


async def _pass(
    answer: Answer, gate: EventGate, send: Callable[[bytes], None], plan: Plan, client: Client, *, marked: bool
) -> None:
    def pass_on(data: bytes) -> None:
        whole = gate.pass_on(data)
        if whole:
            send(whole)
        if gate.fault:
            raise BrokenError(UPSTREAM_ERROR, gate.fault, told=gate.told, final=gate.final)

    try:
        await follow(answer, pass_on, plan, client)
    except BrokenError:
        raise
    except EventTooLargeError as error:
        raise BrokenError(UPSTREAM_ERROR, str(error)) from error
    except ApiError as error:
        if marked and gate.done and gate.whole and not isinstance(error, NoReaderError):
            return  # it has said that it was whole, and only its connection did not end as it should
        final = isinstance(error, NoReaderError | EndingError) or (isinstance(error, LateError) and error.final)
        raise BrokenError(error.kind, error.message, final=final) from error
    rest = gate.rest()
    if rest:
        send(rest)
    if not gate.whole:
        raise BrokenError(UPSTREAM_ERROR, "it ended in the middle of an event")
    if marked and not gate.done:
        raise BrokenError(UPSTREAM_ERROR, "it ended without saying that it was done")
