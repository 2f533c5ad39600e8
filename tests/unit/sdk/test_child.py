"""An engine's process: up when it is ready, up again when it dies, and gone with whoever started it."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from nexus.contract.errors import ApiError
from nexus.sdk import child
from nexus.sdk.child import EngineProcess

UP = "import pathlib, time, os; print('hello', flush=True); pathlib.Path('up').write_text(str(os.getpid())); "
SLEEP = UP + "time.sleep(600)"
FAMILY = (
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    + "import signal; signal.signal(15, signal.SIG_IGN); "
    + SLEEP
)


async def until(held: Callable[[], Any], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not held():
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


class Kept:
    """Processes that are ready when their file is there; ended after the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[EngineProcess] = []

    def process(self, code: str) -> EngineProcess:
        return self.command([sys.executable, "-c", code])

    def command(self, argv: list[str]) -> EngineProcess:
        async def ready() -> bool:
            return bool(self.pid)

        made = EngineProcess(argv, env={**os.environ, "X": "1"}, cwd=self.folder, ready=ready, name="toy")
        self.made.append(made)
        return made

    @property
    def pid(self) -> int:
        file = self.folder / "up"
        return int(file.read_text() or 0) if file.exists() else 0


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    made = Kept(tmp_path)
    yield made
    for process in made.made:
        await process.stop()


async def test_it_is_started_until_it_is_ready_and_stopped(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "nexus.sdk.child")
    process = kept.process("import os; assert os.environ['X'] == '1'; " + SLEEP)
    assert not process.running
    await process.start()
    pid = kept.pid
    assert (process.running, process.reason, alive(pid)) == (True, "", True)
    await process.start()
    assert kept.pid == pid
    assert ("hello", "toy") in [(record.getMessage(), record.__dict__.get("engine")) for record in caplog.records]
    await process.stop()
    assert (process.running, alive(pid)) == (False, False)
    await process.stop()
    (kept.folder / "up").unlink()
    await process.start()
    assert alive(kept.pid)


async def test_it_may_end_as_it_likes_when_it_is_asked(kept: Kept) -> None:
    process = kept.process(
        "import signal, sys, pathlib; "
        "signal.signal(15, lambda *_: (pathlib.Path('bye').touch(), sys.exit(0))); " + SLEEP
    )
    await process.start()
    started = time.monotonic()
    await process.stop()
    assert (kept.folder / "bye").exists()
    assert time.monotonic() - started < child.GRACE_SECONDS


async def test_who_does_not_heed_is_killed_with_all_that_it_started(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "GRACE_SECONDS", 0.1)
    process = kept.process(FAMILY)
    await process.start()
    family = [kept.pid, *(one.pid for one in psutil.Process(kept.pid).children())]
    assert len(family) == 2
    await process.stop()
    await until(lambda: not any(map(alive, family)))


async def test_one_that_dies_is_started_again(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    process = kept.process(SLEEP)
    await process.start()
    first = kept.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: process.reason)
    assert not process.running
    assert process.reason == "was killed by SIGKILL: hello"
    await until(lambda: kept.pid != first and process.running)
    assert process.reason == ""
    assert alive(kept.pid)
    assert [record.__dict__["reason"] for record in caplog.records] == ["was killed by SIGKILL: hello"]


async def test_one_that_is_stopped_while_it_pauses_stays_down(kept: Kept) -> None:
    process = kept.process(SLEEP)
    await process.start()
    first = kept.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: process.reason)
    await process.stop()
    assert (process.running, kept.pid) == (False, first)


async def test_one_that_never_comes_up_is_told_with_its_last_lines(kept: Kept) -> None:
    code = "import sys; [print(n, flush=True) for n in range(9)]; sys.exit('\\x1b[31mno such device')"
    process = kept.process(code)
    with pytest.raises(ApiError) as caught:
        await process.start()
    words = "toy cannot be started: exited with status 1: "
    assert (caught.value.status, caught.value.message[: len(words)]) == (503, words)
    assert "no such device" in caught.value.message
    assert "0 |" not in caught.value.message
    assert not process.running
    await process.stop()


async def test_a_command_that_is_not_there_is_told(kept: Kept) -> None:
    with pytest.raises(ApiError, match=r"status 127: /no/such: No such file or directory"):
        await kept.command(["/no/such"]).start()
    kept.folder /= "missing"
    with pytest.raises(ApiError, match="missing: No such file or directory"):
        await kept.process(SLEEP).start()


async def test_a_start_that_is_left_or_stopped_leaves_nothing(kept: Kept) -> None:
    process = kept.process(
        "import time, pathlib, os; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(600)"
    )
    for leave in (True, False):
        starting = asyncio.create_task(process.start())
        await until(lambda: (kept.folder / "pid").exists() and (kept.folder / "pid").read_text())
        if leave:
            starting.cancel()
        else:
            await process.stop()
        with pytest.raises((asyncio.CancelledError, ApiError)):
            await starting
        assert not process.running
        assert not alive(int((kept.folder / "pid").read_text()))
        (kept.folder / "pid").unlink()


MANIFEST = '[service]\nname = "s"\nengine = "engine:E"\noperations = ["completions"]\n'
ENGINE = f"""
import os, sys
from pathlib import Path
from nexus.sdk.child import EngineProcess
from nexus.sdk.engine import Engine

class E(Engine):
    async def open(self):
        async def ready():
            return Path("up").exists()
        self.process = EngineProcess([sys.executable, "-c", {FAMILY!r}], env=os.environ, ready=ready, name="toy")
        await self.process.start()

    async def close(self):
        await self.process.stop()

    async def completions(self, request: dict, call):
        return {{}}
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_the_process_and_its_children_end_with_the_service(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "service.toml").write_text(MANIFEST)
    (tmp_path / "engine.py").write_text(ENGINE)
    with subprocess.Popen(
        [sys.executable, "-m", "nexus.sdk.serve", str(tmp_path), "--port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        env={**os.environ, "NEXUS_DRAIN_SECONDS": "1"},
    ) as service:
        await until(lambda: (tmp_path / "up").exists() and (tmp_path / "up").read_text())
        pid = int((tmp_path / "up").read_text())
        family = [one.pid for one in psutil.Process(service.pid).children(recursive=True)]
        assert pid in family
        assert len(family) == 3
        service.send_signal(number)
        await until(lambda: not any(map(alive, family)))
        said = (await asyncio.to_thread(service.communicate))[0]
    assert service.returncode == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    assert b'"event":"hello","engine":"toy"' in said
