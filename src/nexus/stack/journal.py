"""What is known of each part of the stack: its row, its raw log and its last words, told to the terminal."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from nexus.process.child import Lines
from nexus.stack.logs import LogFile, read_line
from nexus.stack.progress import Phase, Row
from nexus.stack.terminal import Terminal

_ON_THE_WAY: Final = (Phase.STARTING, Phase.LOADING)


class Journal:
    """Gathers what all parts report and say. All methods are called from the event loop."""

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self._terminal = terminal
        self._folder = folder
        self._rows: dict[str, Row] = {}
        self._logs: dict[str, LogFile] = {}
        self._last_words: dict[str, str] = {}
        self.last_change = time.monotonic()

    def report(self, name: str, phase: Phase, detail: str = "") -> None:
        """A part has come to a phase, or is still in it with something new to tell."""
        if phase is Phase.STARTING:
            self._last_words.pop(name, None)
        now = time.monotonic()
        before = self._rows.get(name)
        row = before.moved(phase, detail, now) if before else Row(name, phase, detail, now)
        self.last_change = now
        self._rows[name] = row
        self._terminal.show(row, changed=before is None or before.phase is not phase)

    def output(self, name: str) -> Callable[[bytes], None]:
        """Where the output of a part's process goes, in the pieces in which it comes."""
        log = self._logs.setdefault(name, LogFile(self._folder / f"{name}.log"))
        lines = Lines()

        def take(data: bytes) -> None:
            log.write(data)
            for line in lines.feed(data):
                self._say(name, line)

        return take

    def last_words(self, name: str) -> str:
        """The last line that a part's process said since it was started."""
        return self._last_words.get(name, "")

    def remove(self, name: str) -> None:
        """Forget a part that is gone for good."""
        self._rows.pop(name, None)
        self._last_words.pop(name, None)
        if log := self._logs.pop(name, None):
            log.close()
        self._terminal.remove(name)

    def phase(self, name: str) -> Phase | None:
        row = self._rows.get(name)
        return row.phase if row else None

    @property
    def settled(self) -> bool:
        """Whether nothing is on its way any more."""
        return all(row.settled for row in self._rows.values())

    def close(self) -> None:
        for log in self._logs.values():
            log.close()

    def _say(self, name: str, line: bytes) -> None:
        said = read_line(line, time.time())
        if said.routine:
            return
        self._last_words[name] = said.text
        self._terminal.said(name, said)
        row = self._rows.get(name)
        if row and row.phase in _ON_THE_WAY:
            self._rows[name] = row.moved(row.phase, said.text, time.monotonic())
            self._terminal.show(self._rows[name], changed=False)
