"""Log lines reach their stream in order, and nothing that befalls the stream reaches the writer."""

import io
import os
import threading
from pathlib import Path

import pytest

from nexus.gateway.record import lines
from nexus.gateway.record.lines import LINE_LIMIT, LineWriter


def test_lines_are_written_in_order_and_all_of_them_at_the_end() -> None:
    stream = io.BytesIO()
    writer = LineWriter(stream)
    writer.start()
    for number in range(1000):
        writer.write(b"%d" % number)
    writer.close()
    assert stream.getvalue().split(b"\n") == [*(b"%d" % number for number in range(1000)), b""]
    assert writer.dropped == 0


def test_lines_are_written_soon_without_being_asked() -> None:
    read, write = os.pipe()
    with open(read, "rb") as reader, open(write, "wb") as stream:
        writer = LineWriter(stream)
        writer.start()
        writer.write(b"one")
        assert reader.readline() == b"one\n"
        writer.write(b"two")
        assert reader.readline() == b"two\n"
        writer.close()


def test_one_that_was_never_started_can_be_closed() -> None:
    LineWriter(io.BytesIO()).close()


def test_a_full_disk_costs_lines_and_nothing_else() -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        writer = LineWriter(full)
        writer.start()
        for _ in range(10):
            writer.write(b"line")
        writer.close()
        assert writer.dropped == 10


def test_a_reader_that_went_away_costs_lines_and_nothing_else() -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "wb", buffering=0) as stream:
        writer = LineWriter(stream)
        writer.start()
        writer.write(b"line")
        writer.close()
        assert writer.dropped == 1


def test_a_closed_stream_costs_lines_and_nothing_else(tmp_path: Path) -> None:
    stream = (tmp_path / "log").open("wb")
    writer = LineWriter(stream)
    writer.start()
    stream.close()
    writer.write(b"line")
    writer.close()
    assert writer.dropped == 1


def test_a_reader_that_stands_still_blocks_nobody_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread hangs in its write while lines go on coming."""
    monkeypatch.setattr(lines, "FLUSH_SECONDS", 0.001)
    begun, go_on = threading.Event(), threading.Event()

    class Stuck(io.BytesIO):
        def write(self, data: object) -> int:
            begun.set()
            go_on.wait(10)
            return super().write(data)  # type: ignore[arg-type]

    stream = Stuck()
    writer = LineWriter(stream)
    writer.start()
    writer.write(b"first")
    assert begun.wait(10)
    for _ in range(LINE_LIMIT + 5):
        writer.write(b"x")
    assert writer.dropped == 5
    go_on.set()
    writer.close()
    assert stream.getvalue() == b"first\n" + b"x\n" * LINE_LIMIT
