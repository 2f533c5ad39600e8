"""A process ends well although a thread of it is stuck in a write."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from nexus.process.output import own_bytes, own_text

STUCK = """
import sys, threading, time
from nexus.process.output import own_bytes, own_text
stream = {make}
def write():
    while True:
        stream.write({what} * 100_000)
        stream.flush()
threading.Thread(target=write, daemon=True).start()
time.sleep(0.5)
sys.stdout.write("the end")
"""


@pytest.mark.parametrize(
    ("make", "what"), [("own_bytes(sys.stdout)", 'b"x"'), ("own_text(sys.stdout)", '"x"')], ids=["bytes", "text"]
)
def test_a_reader_that_is_stuck_does_not_make_the_end_an_abort(make: str, what: str) -> None:
    command = [sys.executable, "-c", STUCK.format(make=make, what=what)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)  # its own last words find the pipe full
        process.stdout.read(200_000)
        process.stdout.close()
        told = process.stderr.read()
        assert process.wait(10) >= 0, told
        assert b"Fatal" not in told


def test_it_writes_where_the_other_does(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w", encoding="utf-8") as file:
        with own_bytes(file) as first:
            first.write(b"one ")
        with own_text(file) as second:
            second.write("zw\u00f6lf")
    assert (tmp_path / "out").read_text(encoding="utf-8") == "one zw\u00f6lf"
    assert own_text(memory := io.StringIO()) is memory
