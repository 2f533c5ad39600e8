"""One JSON object a line: the log of everything that is beside the request path."""

import logging
import time
import traceback
from collections.abc import Callable
from typing import Protocol

import msgspec


class Log(Protocol):
    """How parts of the gateway tell what happened. `level` is info, warning or error; `event` one snake_case word."""

    def __call__(self, level: str, event: str, **fields: object) -> None: ...


def json_log(write: Callable[[bytes], None], clock: Callable[[], float] = time.time) -> Log:
    """A log that hands each event to `write` as one line of JSON; `clock` gives seconds since the epoch."""
    encode = msgspec.json.Encoder(enc_hook=str).encode

    def log(level: str, event: str, **fields: object) -> None:
        write(encode({"ts": clock(), "level": level, "event": event, **fields}))

    return log


class JsonHandler(logging.Handler):
    """Brings what libraries (and faults of ours) say through the standard logging into the same log."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, object] = {"logger": record.name, "message": record.getMessage()}
        if record.exc_info and record.exc_info[1] is not None:
            fields["trace"] = "".join(traceback.format_exception(record.exc_info[1]))
        if "request_id" in record.__dict__:
            fields["request_id"] = record.__dict__["request_id"]
        self._log("error" if record.levelno >= logging.ERROR else "warning", "library", **fields)
