"""Children: what they say is heard, what they start ends with them."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from nexus.process.child import ChildProcess, Lines, describe_exit
from nexus.process.lifeline import held


@pytest.fixture
def lifeline() -> Iterator[int]:
    with held() as read_end:
        yield read_end


async def start(code: str, lifeline: int, said: bytearray) -> ChildProcess:
    return await ChildProcess.start(
        [sys.executable, "-c", code], env=os.environ, cwd=Path.cwd(), lifeline=lifeline, on_output=said.extend
    )


def test_lines_come_whole() -> None:
    lines = Lines()
    assert lines.feed(b"one\ntw") == [b"one"]
    assert lines.feed(b"o\n\n  \n") == [b"two"]
    assert lines.feed(b"x" * 70_000) == [b"x" * 70_000]
    assert lines.feed(b"last") == []
    assert lines.close() == [b"last"]
    assert lines.close() == []


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "exited with status 0"), (-11, "was killed by SIGSEGV"), (-250, "was killed by signal 250")],
)
def test_an_end_in_words(status: int, words: str) -> None:
    assert describe_exit(status) == words


async def test_output_and_status(lifeline: int) -> None:
    said = bytearray()
    child = await start("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", lifeline, said)
    assert await child.wait() == 3
    assert sorted(said.split()) == [b"err", b"out"]


async def test_the_lifeline_is_inherited(lifeline: int) -> None:
    child = await start(f"import os; os.fstat({lifeline})", lifeline, bytearray())
    assert await child.wait() == 0


async def test_what_a_child_leaves_running_is_killed(lifeline: int, until: Callable[..., object]) -> None:
    said = bytearray()
    endless = "[sys.executable, '-c', 'import time; time.sleep(600)']"
    child = await start(f"import subprocess, sys; print(subprocess.Popen({endless}).pid)", lifeline, said)
    await child.wait()
    pid = int(said)
    await until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


async def test_stopping_asks_first(lifeline: int, until: Callable[..., object]) -> None:
    said = bytearray()
    code = "import signal, sys; signal.signal(15, lambda *_: sys.exit(9)); print('up', flush=True); signal.pause()"
    child = await start(code, lifeline, said)
    await until(lambda: said)
    assert await child.stop(20, asyncio.Event()) == 9


async def test_who_does_not_listen_is_killed(lifeline: int, until: Callable[..., object]) -> None:
    said, hurry = bytearray(), asyncio.Event()
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    child = await start(code, lifeline, said)
    await until(lambda: said)
    hurry.set()
    assert await child.stop(600, hurry) == -signal.SIGKILL
    child = await start(code, lifeline, said)
    assert await child.stop(0.01, asyncio.Event()) in (-signal.SIGKILL, -signal.SIGTERM)
