"""What the client of a stream asked for, as far as it decides whether it has got it."""

from typing import Any

import msgspec

from nexus.gateway.relay.transcript import Delivered
from nexus.gateway.values import Call


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Wishes(msgspec.Struct):
    n: int | None = None
    prompt: Any = None
    stream_options: _StreamOptions | None = None


_decode = msgspec.json.Decoder(_Wishes).decode


def is_whole(call: Call, delivered: Delivered) -> bool:
    """True if nothing is missing but the word that the stream is done: its one choice came to its end, and usage came
    where it was asked for."""
    if delivered.done or not delivered.joinable or set(delivered.choices) != {0} or not delivered.choices[0].finished:
        return False
    try:
        wishes = _decode(call.request.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    counted = delivered.counted or wishes.stream_options is None or not wishes.stream_options.include_usage
    return wishes.n in (None, 1) and not isinstance(wishes.prompt, list) and counted
