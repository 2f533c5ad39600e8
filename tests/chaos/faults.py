"""Every way in which a service misbehaves here, by name; each byte of it is written down.

A fault is played by whoever is asked first for its model; any other instance, and a model whose name ends with
`LARGER`, is sound. Between the tokens of a cut answer and its end there is time enough for them to be passed on.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from tests.chaos.answers import BIG, OTHER_TOKENS, TEXT, TOKENS, answer, event
from tests.chaos.exchange import Exchange

LARGER: Final = "larger"
CUT: Final = 40  # of 60 pieces have been sent when something goes wrong midway
LATE_SECONDS: Final = 5.0
DRIP_SECONDS: Final = 0.05
ENDLESS_DRIP_SECONDS: Final = 0.4

Play = Callable[[Exchange], Awaitable[None]]


async def _well(x: Exchange) -> None:
    await x.well()


@dataclass(frozen=True, slots=True)
class Fault:
    """`told` says in the table what it is. `times`: how many attempts meet it, None: all. `sound` is what those do who
    do not misbehave. `continuation`: their card says that they go on from a text."""

    told: str
    play: Play
    times: int | None = None
    sound: Play = _well
    continuation: bool = False


async def _begun(x: Exchange, pieces: int = CUT) -> None:
    """A good beginning."""
    x.head(x.known.content_type)
    for piece in x.known.pieces[:pieces]:
        x.chunk(piece)
    await x.sent()


async def _429_with_retry_after(x: Exchange) -> None:
    x.refuse(429, "rate_limit_exceeded", "one moment", "retry-after: 1")


async def _429(x: Exchange) -> None:
    x.refuse(429, "rate_limit_exceeded", "too many")


async def _500(x: Exchange) -> None:
    x.refuse(500, "internal_error", "a bug")


async def _503(x: Exchange) -> None:
    x.refuse(503, "overloaded", "too busy")


async def _reset_before_headers(x: Exchange) -> None:
    x.reset()


async def _never_answers(x: Exchange) -> None:
    await x.left()


async def _late_first_token(x: Exchange) -> None:
    x.head(x.known.content_type)
    await asyncio.sleep(LATE_SECONDS)
    for piece in (*x.known.pieces, *x.known.tail):
        x.chunk(piece)
    x.end()


async def _cut(x: Exchange) -> None:
    await _begun(x)
    x.close()


async def _stalls(x: Exchange) -> None:
    await _begun(x)
    await x.left()


async def _malformed_event(x: Exchange) -> None:
    await _begun(x)
    x.chunk(b'data: {"choices": [{"del\n\n' if x.operation == "stream" else b'"\x00}{broken')
    if x.operation == "stream":
        for piece in (*x.known.pieces[CUT:], *x.known.tail):
            x.chunk(piece)
    x.end()


async def _malformed_framing(x: Exchange) -> None:
    await _begun(x)
    x.send(b"zz\r\nnot a chunk\r\n0\r\n\r\n")
    await x.left()


async def _no_done(x: Exchange) -> None:
    whole = x.known
    x.head(whole.content_type)
    for piece in (*whole.pieces, *whole.tail[:-1]):
        x.chunk(piece)
    if x.operation == "stream":
        x.end()
    else:
        await x.sent()
        x.close()


async def _context_length(x: Exchange) -> None:
    x.refuse(400, "context_length_exceeded", "This model's maximum context length is 8 tokens")


async def _content_policy(x: Exchange) -> None:
    x.refuse(400, "content_policy_violation", "Not this")


async def _other_words(x: Exchange) -> None:
    """Sound, but of another mind; refuses to go on from somebody else's text."""
    if x.prefill is not None:
        x.refuse(400, "invalid_request_error", "PREFILL-REFUSED: the last message must be the user's")
    else:
        await x.well(answer(x.operation, x.model, OTHER_TOKENS))


async def _goes_on(x: Exchange) -> None:
    """Sound, but of another mind; goes on from any text."""
    if x.prefill is None:
        await x.well(answer(x.operation, x.model, OTHER_TOKENS))
    else:
        read, part = divmod(len(x.prefill), len(TOKENS[0]))
        known = TEXT.startswith(x.prefill) and not part
        await x.well(answer(x.operation, x.model, TOKENS[read:] if known else ("lost",), read))


async def _length_longer(x: Exchange) -> None:
    body = x.known.body
    x.head(x.known.content_type, f"content-length: {len(body) + 100}")
    x.send(body)
    await x.sent()
    x.close()


async def _64_mb(x: Exchange) -> None:
    if x.operation == "speech":
        body = BIG.encode()
    elif x.operation == "stream":
        body = answer("stream", x.model, (BIG,)).body
    else:
        body = answer(x.operation, x.model, (BIG,)).body
    x.head(x.known.content_type)
    x.chunk(body)
    x.end()


async def _slow_drip(x: Exchange) -> None:
    await x.well(pause=DRIP_SECONDS)


async def _endless_drip(x: Exchange) -> None:
    await x.well(pause=ENDLESS_DRIP_SECONDS)


async def _half_close(x: Exchange) -> None:
    await _begun(x)
    await x.half_close()


async def _reset_in_a_chunk(x: Exchange) -> None:
    await _begun(x)
    x.send(b"400\r\n" + x.known.pieces[CUT][:20])
    await x.sent()
    x.reset()


async def _endless_headers(x: Exchange) -> None:
    x.send(b"HTTP/1.1 200 OK\r\n")
    line = b"x-more: " + b"m" * 1000 + b"\r\n"
    while True:
        x.send(line * 10)
        await x.taken()


async def _wrong_content_type(x: Exchange) -> None:
    x.whole(200, b"<html><body>Please sign in</body></html>", "text/html")


_ERROR: Final = {"message": "out of memory", "type": "server_error", "param": None, "code": "out_of_memory"}


async def _200_with_an_error(x: Exchange) -> None:
    if x.operation == "stream":
        x.head("text/event-stream")
        x.chunk(event({"error": _ERROR}))
        x.end()
    else:
        x.whole(200, json.dumps({"error": _ERROR}).encode())


async def _error_event(x: Exchange) -> None:
    await _begun(x)
    x.chunk(event({"error": _ERROR}))
    x.end()


FAULTS: Final[dict[str, Fault]] = {
    "429-once": Fault("429 with `retry-after: 1`, once", _429_with_retry_after, times=1),
    "429-forever": Fault("429 without `retry-after`, for ever", _429),
    "500-once": Fault("500, once", _500, times=1),
    "503-forever": Fault("503, for ever", _503),
    "reset-before-headers": Fault("TCP reset before the head", _reset_before_headers),
    "never-answers": Fault("takes the request and never answers", _never_answers),
    "late-first-token": Fault("head at once, first byte too late", _late_first_token),
    "cut": Fault("cut after 40 of 60 tokens", _cut),
    "stalls": Fault("stalls after 40 tokens, connection open", _stalls),
    "malformed-event": Fault("broken JSON in the middle", _malformed_event),
    "malformed-framing": Fault("a chunk without a size in the middle", _malformed_framing),
    "no-done": Fault("no `[DONE]`, or no last chunk", _no_done),
    "context-length": Fault("400 `context_length_exceeded`", _context_length),
    "content-policy": Fault("400 `content_policy_violation`", _content_policy),
    "cut-prefill-refused": Fault("cut; the next one says other words and refuses a prefill", _cut, sound=_other_words),
    "cut-goes-on": Fault(
        "cut; the next one says other words, but goes on from a text", _cut, sound=_goes_on, continuation=True
    ),
    "length-longer": Fault("`content-length` longer than the body", _length_longer),
    "64-mb": Fault("64 MB in a single chunk", _64_mb),
    "slow-drip": Fault("a slow drip that ends in time", _slow_drip),
    "endless-drip": Fault("a drip that takes longer than `total`", _endless_drip),
    "half-close": Fault("half-close after 40 tokens", _half_close),
    "reset-in-chunk": Fault("TCP reset in mid-chunk", _reset_in_a_chunk),
    "endless-headers": Fault("header lines without end", _endless_headers),
    "wrong-content-type": Fault("200 and a web page", _wrong_content_type),
    "200-with-error": Fault("200 with an error for a body", _200_with_an_error),
    "error-event": Fault("an error event after 40 tokens", _error_event),
}
