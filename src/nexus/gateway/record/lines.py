"""Log lines go through a buffer and a thread of its own: a slow reader or a full disk never stops a request."""

import sys
import threading
from collections import deque
from typing import BinaryIO, Final

FLUSH_SECONDS: Final = 0.2
LINE_LIMIT: Final = 65_536


class LineWriter:
    """Writes lines to a stream, soon, in order. With `LINE_LIMIT` unwritten ones, more are dropped and counted."""

    def __init__(self, stream: BinaryIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stdout.buffer
        self._lines: deque[bytes] = deque()
        self.dropped = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Have `line` (without its newline) written."""
        if len(self._lines) < LINE_LIMIT:
            self._lines.append(line)
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
        count = len(self._lines)
        if not count:
            return
        lines = [self._lines.popleft() for _ in range(count)]
        lines.append(b"")
        try:
            self._stream.write(b"\n".join(lines))
            self._stream.flush()
        except (OSError, ValueError):  # a full disk, a reader that went away, a closed stream
            self.dropped += count
