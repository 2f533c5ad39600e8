"""One JSON object a line: the log of everything that is beside the request path."""

import time
from collections.abc import Callable
from typing import BinaryIO, Protocol

import msgspec


class Log(Protocol):
    """How parts of the gateway tell what happened. `level` is info, warning or error; `event` one snake_case word."""

    def __call__(self, level: str, event: str, **fields: object) -> None: ...


def json_log(stream: BinaryIO, clock: Callable[[], float] = time.time) -> Log:
    """A log that writes each event as one line of JSON to `stream`; `clock` gives seconds since the epoch."""
    encode = msgspec.json.Encoder(enc_hook=str).encode

    def log(level: str, event: str, **fields: object) -> None:
        stream.write(encode({"ts": clock(), "level": level, "event": event, **fields}) + b"\n")
        stream.flush()

    return log
