"""Server-sent events without I/O: bytes in, events out, and back.

The format is WHATWG HTML's "server-sent events": lines end in CR LF, LF or CR, a line that starts with a
colon is a comment, several `data` lines are joined by LF, an empty line ends the event, and what is left
after the last empty line is not an event.
"""

import re
from dataclasses import dataclass
from typing import Final

DONE: Final = b"[DONE]"
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BOM: Final = b"\xef\xbb\xbf"
_EVENT_ENDS: Final = (b"\n\n", b"\r\n\r\n", b"\r\r")


@dataclass(frozen=True, slots=True)
class Event:
    """One dispatched event; `data` without the field's name, `event` empty when the stream gave none."""

    data: bytes
    event: str = ""
    id: str | None = None
    retry: int | None = None


class SseTooLargeError(ValueError):
    """One event grew past the parser's bound."""


class SseParser:
    """Feed bytes as they come, in any cuts; get whole events. `limit` bounds one event, in bytes."""

    def __init__(self, limit: int = 8 * 1024 * 1024) -> None:
        self._limit = limit
        self._buffer = b""
        self._started = False
        self._data: list[bytes] = []
        self._event = ""
        self._id: str | None = None
        self._retry: int | None = None
        self._size = 0

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes. Raises SseTooLargeError."""
        buffer = self._buffer + data
        if not self._started:
            if len(buffer) < len(_BOM) and _BOM.startswith(buffer):
                self._buffer = buffer
                return []
            self._started = True
            buffer = buffer.removeprefix(_BOM)
        events: list[Event] = []
        position = 0
        for match in _LINE_END.finditer(buffer):
            if match.group() == b"\r" and match.end() == len(buffer):
                break  # the LF of a CR LF may still be on its way
            line = buffer[position : match.start()]
            position = match.end()
            if line:
                self._size += len(line)
                self._take_field(line)
            else:
                self._dispatch(events)
        self._buffer = buffer[position:]
        if self._size + len(self._buffer) > self._limit:
            raise SseTooLargeError(f"an event is larger than {self._limit} bytes")
        return events

    def close(self) -> list[Event]:
        """The event that a final lone CR completes, if any; unfinished data is dropped, as the format says."""
        events: list[Event] = []
        if self._buffer == b"\r":
            self._dispatch(events)
        self._buffer = b""
        self._reset()
        return events

    def _take_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit():
            self._retry = int(value)

    def _dispatch(self, events: list[Event]) -> None:
        if self._data:
            events.append(Event(b"\n".join(self._data), self._event, self._id, self._retry))
        self._reset()

    def _reset(self) -> None:
        self._data = []
        self._event = ""
        self._id = None
        self._retry = None
        self._size = 0


def encode(data: bytes, event: str | None = None) -> bytes:
    """One event as it goes over the wire; each line of `data` in a `data` line of its own."""
    lines = b"\n".join(b"data: " + line for line in _LINE_END.split(data))
    head = f"event: {event}\n".encode() if event else b""
    return head + lines + b"\n\n"


def whole_events(buffer: bytes) -> int:
    """The length of the longest prefix of `buffer` that ends with an event's empty line; 0 if there is none."""
    if b"\r" not in buffer:
        return buffer.rfind(b"\n\n") + 2 if b"\n\n" in buffer else 0
    return max((at + len(end) for end in _EVENT_ENDS if (at := buffer.rfind(end)) >= 0), default=0)
