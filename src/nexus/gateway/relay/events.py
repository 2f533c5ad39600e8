"""Watches an event stream pass: holds back half events, reads usage, and knows whether the end was the end."""

from typing import Final

import msgspec

from nexus.contract.errors import UPSTREAM_ERROR
from nexus.contract.sse import DONE, whole_events
from nexus.contract.usage import Usage, read_usage
from nexus.gateway.relay.chunks import events_in, is_done, is_final, is_plain, value_of

HELD_LIMIT: Final = 8 * 1024 * 1024


class EventTooLargeError(Exception):
    """One event grew past all reason."""


class EventGate:
    """Lets whole events through as they come, byte for byte. What is held when a stream breaks off is never sent.

    `checked`, for streams of chunks: a malformed one is not let through, nor is an error that the service tells, nor
    anything after them. `fault` says then what was wrong; `told` is the service's own error event, if it is in the
    envelope; `final`: it would be the same elsewhere.
    """

    __slots__ = ("_checked", "_held", "_last", "events", "fault", "final", "told", "usage")

    def __init__(self, *, checked: bool = False) -> None:
        self._checked = checked
        self._held = b""
        self._last = b""
        self.usage: Usage | None = None
        self.events = 0
        self.fault = ""
        self.told = b""
        self.final = False

    def pass_on(self, data: bytes) -> bytes:
        """The bytes that may go on now. Raises EventTooLargeError."""
        if self._held:
            data = self._held + data
            self._held = b""
        if not data.endswith(b"\n\n"):
            end = whole_events(data)
            self._held = data[end:]
            data = data[:end]
            if len(self._held) > HELD_LIMIT:
                raise EventTooLargeError(f"an event is larger than {HELD_LIMIT} bytes")
        if data and self._checked and not is_plain(data):
            data = self._sound(data)
        elif data:
            self._last = data
        if data:
            self.events += data.count(b"\n\n")
            if b'"usage"' in data:
                self._read_usage(data)
        return data

    def rest(self) -> bytes:
        """At the stream's regular end: a closing `data: [DONE]` whose empty line was left out, made whole."""
        if self._held.strip() != b"data: " + DONE:
            return b""
        self._last, self._held = self._held, b""
        return self._last.rstrip() + b"\n\n"

    @property
    def whole(self) -> bool:
        """True if nothing was left in the middle of an event."""
        return not self._held.strip()

    @property
    def done(self) -> bool:
        """True if the last event that passed was `data: [DONE]`."""
        return self._last.rstrip().endswith(DONE)

    @property
    def failure(self) -> str:
        """The code of the error that the last event told, empty if it told none: then the service has said itself why
        nothing more comes."""
        return failure_in(self._last)

    def _sound(self, data: bytes) -> bytes:
        """The events of `data` before the first that may not pass. A comment behind the last one changes nothing."""
        end = 0
        for raw, payload in events_in(data):
            if payload and not is_plain(raw) and not is_done(payload):
                value = value_of(payload)
                if value is None:
                    self.fault = "one of its chunks is malformed"
                elif value.get("error"):
                    error = value["error"]
                    self.final = is_final(error)
                    self.told = raw if isinstance(error, dict) else b""
                    self.fault = f"the service told an error: {str(error)[:500]}"
                if self.fault:
                    self._held = b""
                    return data[:end]
            if payload:
                self._last = raw
            end += len(raw)
        return data

    def _read_usage(self, data: bytes) -> None:
        for line in data.splitlines():
            if line.startswith(b"data:") and b'"usage"' in line:
                usage = read_usage(line[5:])
                if usage is not None:
                    self.usage = usage


def failure_in(event: bytes) -> str:
    """The code of the error that an event tells, empty if it tells none."""
    line = event.rstrip().rpartition(b"\n")[2]
    try:
        value = msgspec.json.decode(line.removeprefix(b"data:"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    error = value.get("error") if isinstance(value, dict) else None
    if not isinstance(error, dict):
        return ""
    code = error.get("code")
    return code if isinstance(code, str) and code else UPSTREAM_ERROR.code
