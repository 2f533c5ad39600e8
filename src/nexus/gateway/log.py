"""One JSON object a line: the log of everything that is beside the request path."""

import time
from collections.abc import Callable
from typing import Protocol

import msgspec


class Log(Protocol):
    """How parts of the gateway tell what happened. `level` is info, warning or error; `event` one snake_case word."""

    def __call__(self, level: str, event: str, **fields: object) -> None: ...


def json_log(write: Callable[[bytes], None], clock: Callable[[], float] = time.time) -> Log:
    """A log that hands each event to `write` as a line of JSON without its end; `clock` gives seconds since the epoch."""
    encode = msgspec.json.Encoder(enc_hook=str).encode

    def log(level: str, event: str, **fields: object) -> None:
        write(encode({"ts": clock(), "level": level, "event": event, **fields}))

    return log
