"""JSON logs: one object a line on stdout, with the id of the request that the line belongs to."""

import logging
import sys
import traceback
from contextvars import ContextVar
from typing import Any, Final, TextIO

import msgspec

from nexus.contract.surrogates import mended

request_id: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class JsonFormatter(logging.Formatter):
    """`ts` (seconds since 1970), `level`, `event`, `request_id` where there is one, and what the line adds."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": round(record.created, 6),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        current = request_id.get()
        if current is not None:
            line["request_id"] = current
        line |= {key: value for key, value in vars(record).items() if key not in _OWN}
        if record.name.partition(".")[0] != "nexus":
            line["logger"] = record.name
        if record.exc_info and record.exc_info[0] is not None:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        try:
            return msgspec.json.encode(line, enc_hook=str).decode()
        except UnicodeEncodeError:  # an engine's words
            return msgspec.json.encode(mended(line), enc_hook=str).decode()


def configure(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send every logger's lines to `stream` (stdout) in this form. For the process's main function alone."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(True)
    for name in ("httpx", "httpcore", "asyncio", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)
