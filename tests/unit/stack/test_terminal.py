"""The terminal: plain lines where nobody looks, a table and colours where somebody does."""

import io
import threading

import pytest

from nexus.stack.logs import Said
from nexus.stack.progress import Phase, Row
from nexus.stack.terminal import Terminal, Writer


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError("no space left on device")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")


def test_without_a_terminal_each_change_is_a_line() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream)
    terminal.show(Row("alpha", Phase.STARTING, "", 0.0), changed=True)
    terminal.show(Row("alpha", Phase.STARTING, "a log line", 0.0), changed=False)
    terminal.said("alpha", Said(0.0, "info", "not yet followed"))
    terminal.show(Row("alpha", Phase.READY, "", 0.0, 1.5), changed=True)
    terminal.tick()
    terminal.follow()
    terminal.said("alpha", Said(0.0, "error", "now it is"))
    terminal.close()
    lines = stream.getvalue().splitlines()
    assert lines[:2] == ["alpha: starting", "alpha: ready (1.5 s)"]
    assert lines[2][8:] == " alpha  now it is"
    assert len(lines) == 3


def test_on_a_terminal_there_is_a_table_and_then_a_log_in_colours() -> None:
    stream = Tty()
    terminal = Terminal(stream)
    terminal.show(Row("alpha", Phase.LOADING, "weights", 0.0), changed=True)
    terminal.tick()
    assert "loading" in stream.getvalue()
    assert "alpha: loading" not in stream.getvalue()
    terminal.follow()
    terminal.said("alpha", Said(0.0, "error", "bad"))
    terminal.close()
    assert "\x1b[31mbad\x1b[0m" in stream.getvalue()


def test_colours_can_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Tty()
    terminal = Terminal(stream)
    terminal.follow()
    terminal.said("alpha", Said(0.0, "error", "bad"))
    terminal.close()
    assert "\x1b[31m" not in stream.getvalue()


def test_a_stream_that_cannot_be_written_is_ignored() -> None:
    terminal = Terminal(Broken())
    terminal.text("lost")
    terminal.close()


def test_a_paused_terminal_holds_nobody_up() -> None:
    class Paused(io.StringIO):
        """Takes nothing until it is let go."""

        resumed = threading.Event()

        def write(self, text: str) -> int:
            self.resumed.wait()
            return super().write(text)

    stream = Paused()
    writer = Writer(stream)
    for number in range(6000):
        writer.line(str(number))
    stream.resumed.set()
    writer.close()
    assert "lines are in the log files only" in stream.getvalue()
    assert "0" in stream.getvalue().splitlines()
