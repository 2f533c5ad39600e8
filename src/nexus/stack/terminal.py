"""The operator's terminal: first the table of what is on its way, then one merged, readable log."""

import contextlib
import queue
import threading
import time
import zlib
from typing import Final, TextIO

from rich.console import Console
from rich.live import Live

from nexus.process.output import own_text
from nexus.stack.logs import Said, clock
from nexus.stack.progress import Row, change_line, table

_QUEUED_LINES: Final = 5000
_LAST_LINES_SECONDS: Final = 2.0
_PALETTE: Final = (36, 35, 34, 33, 32, 96, 95, 94, 93, 92)
_LEVEL_COLOURS: Final = {"warning": 33, "error": 31, "critical": 31, "debug": 2}


class Writer:
    """Writes lines to a stream from a thread of its own, so that a paused or lost terminal holds nobody up.

    What does not fit into the queue is dropped and counted; a stream that cannot be written is ignored.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = own_text(stream)
        self._lines: queue.Queue[str | None] = queue.Queue(_QUEUED_LINES)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="terminal", daemon=True)
        self._thread.start()

    def line(self, text: str) -> None:
        """Have one line written."""
        try:
            self._lines.put_nowait(text)
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Write what is queued, for two seconds at most."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=_LAST_LINES_SECONDS)
            self._thread.join(_LAST_LINES_SECONDS)

    def _write(self) -> None:
        while (text := self._lines.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            note = f"… {dropped} lines are in the log files only …\n" if dropped else ""
            # A full disk, a closed terminal (EIO), a stream that the interpreter has closed at its end.
            with contextlib.suppress(OSError, ValueError):
                self._stream.write(f"{note}{text}\n")
                self._stream.flush()


class Terminal:
    """What the operator sees. All methods are called from the event loop; none of them waits or raises."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False)
        self._colours = self._console.is_terminal and not self._console.no_color
        self._writer = Writer(stream)
        self._rows: dict[str, Row] = {}
        self._following = False
        self._live = Live(console=self._console, auto_refresh=False, transient=False)
        if self._console.is_terminal:
            with contextlib.suppress(OSError):
                self._live.start()

    def show(self, row: Row, changed: bool) -> None:
        """A part's row as it is now; `changed` if its phase is new, and not only what it said last."""
        self._rows[row.name] = row
        if changed and not self._live.is_started:
            self._say_change(row)

    def remove(self, name: str) -> None:
        """Forget a part that is gone for good."""
        self._rows.pop(name, None)

    def tick(self) -> None:
        """Draw the table anew, where there is one; called several times a second."""
        if self._live.is_started:
            with contextlib.suppress(OSError):
                self._live.update(table(self._rows.values(), time.monotonic()), refresh=True)

    def follow(self) -> None:
        """Leave the table as it is and go on with the merged log."""
        self.tick()
        if self._live.is_started:
            with contextlib.suppress(OSError):
                self._live.stop()
        self._following = True

    def text(self, text: str) -> None:
        """Write a text of Nexus's own as it is."""
        self._writer.line(text)

    def said(self, name: str, said: Said) -> None:
        """A line of a child; shown once the log is followed."""
        if self._following:
            self._writer.line(self._log_line(name, said))

    def close(self) -> None:
        """Give the terminal back."""
        if self._live.is_started:
            with contextlib.suppress(OSError):
                self._live.stop()
        self._writer.close()

    def _say_change(self, row: Row) -> None:
        line = change_line(row, time.monotonic())
        self._writer.line(self._log_line("nexus", Said(time.time(), "info", line)) if self._following else line)

    def _log_line(self, name: str, said: Said) -> str:
        width = max((len(row) for row in self._rows), default=0)
        source = f"{name:<{width}}"
        if not self._colours:
            return f"{clock(said.ts)} {source}  {said.text}"
        colour = _PALETTE[zlib.crc32(name.encode()) % len(_PALETTE)]
        grave = _LEVEL_COLOURS.get(said.level)
        text = f"\x1b[{grave}m{said.text}\x1b[0m" if grave else said.text
        return f"\x1b[2m{clock(said.ts)}\x1b[0m \x1b[{colour}m{source}\x1b[0m  {text}"
