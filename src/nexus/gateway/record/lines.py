"""Log lines go through a buffer and a thread of its own: a slow reader or a full disk never stops a request.

What is logged of requests becomes JSON only there, many at a time, which is cheaper than one by one.
"""

import sys
import threading
from collections import deque
from typing import BinaryIO, Final

import msgspec

from nexus.process.output import own_bytes

FLUSH_SECONDS: Final = 0.2
LINE_LIMIT: Final = 65_536
_AT_ONCE: Final = 256  # lines that become JSON in one go: the request path waits for no more than that


class LineWriter:
    """Writes lines to a stream (None: standard output), soon, in order.

    With `LINE_LIMIT` unwritten ones, more are dropped and counted.
    """

    def __init__(self, stream: BinaryIO | None = None) -> None:
        self._stream = stream
        self._lines: deque[object] = deque()
        self._encode = msgspec.json.Encoder().encode_lines
        self.dropped = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def start(self) -> None:
        if self._stream is None:
            self._stream = own_bytes(sys.stdout)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Have `line` (without its newline) written."""
        self.add(msgspec.Raw(line))

    def add(self, value: object) -> None:
        """Have `value`, which nobody changes any more, written as a line of JSON."""
        if len(self._lines) < LINE_LIMIT:
            self._lines.append(value)
        else:
            self.dropped += 1

    def close(self) -> None:
        """Write what is left and stop."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        stream = self._stream
        while self._lines and stream is not None:
            lines = [self._lines.popleft() for _ in range(min(len(self._lines), _AT_ONCE))]
            try:
                stream.write(self._encode(lines))
                stream.flush()
            except (OSError, ValueError):  # a full disk, a reader that went away, a closed stream
                self.dropped += len(lines)
